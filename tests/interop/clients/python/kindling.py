"""fhir-kindling's FhirServer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from fhir.resources import construct_fhir_element
from fhir_kindling import FhirServer
from fhir_kindling.serde.json import json_dict
from wire import Refused, Resource, base, run


@contextmanager
def refusals() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise Refused(error.response.status_code, error.response.content) from error


class Driver:
    def connect(self, token: str | None) -> None:
        self.server = FhirServer(base(), token=token)

    def metadata(self) -> Resource:
        return json_dict(self.server.capabilities)

    def create(self, resource: Resource) -> Resource:
        return {"resourceType": resource["resourceType"], "id": self.server.add(resource).resource_id}

    def read(self, type: str, id: str) -> Resource:
        return json_dict(self.server.get(f"{type}/{id}"))

    def update(self, resource: Resource) -> Resource:
        self.server.update([resource])
        return resource

    def delete(self, type: str, id: str) -> None:
        self.server.delete(references=[f"{type}/{id}"])

    def search(self, type: str, params: dict[str, str]) -> list[Resource]:
        said = "&".join(f"{name}={value}" for name, value in params.items() if name != "_count")
        count = int(params["_count"]) if "_count" in params else None
        found = self.server.raw_query(f"{type}?{said}").all(count=count)
        return [json_dict(one) for one in found.resource_list]

    search_with = search

    def bundle(self, bundle: Resource) -> Resource:
        made = self.server.add_bundle(construct_fhir_element("Bundle", bundle))
        return {"entry": [{"response": {"location": one.location}} for one in made.create_responses]}


def step(method: Any) -> Any:
    def take(**asked: Any) -> Any:
        with refusals():
            return method(**asked)

    return take


if __name__ == "__main__":
    driver = Driver()
    names = [name for name, value in vars(Driver).items() if not name.startswith("_") and callable(value)]
    run({name: step(getattr(driver, name)) for name in names})
