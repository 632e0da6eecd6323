"""fhirpy's SyncFHIRClient."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import (
    AuthorizationError,
    ForbiddenError,
    MultipleResourcesFound,
    OperationOutcome,
    ResourceNotFound,
)
from wire import Refused, Resource, base, run

STATUS = {AuthorizationError: 401, ForbiddenError: 403, ResourceNotFound: 404, MultipleResourcesFound: 412}


@contextmanager
def refusals() -> Iterator[None]:
    """What it raises, as what was refused."""
    try:
        yield
    except OperationOutcome as error:
        raise Refused(None, error.resource) from error
    except tuple(STATUS) as error:
        raise Refused(STATUS[type(error)], str(error)) from error


def plain(resource: Any) -> Any:
    """Its objects as JSON has them."""
    return json.loads(json.dumps(resource))


class Driver:
    def connect(self, token: str | None) -> None:
        self.client = SyncFHIRClient(base(), authorization=token and f"Bearer {token}")

    def metadata(self) -> Resource:
        return plain(self.client.execute("metadata", method="get"))

    def create(self, resource: Resource) -> Resource:
        return plain(self._of(resource).create())

    def create_if_none(self, resource: Resource, criteria: dict[str, str]) -> Resource:
        return plain(self._of(resource).create(**criteria))

    def read(self, type: str, id: str) -> Resource:
        return plain(self.client.get(type, id))

    def vread(self, type: str, id: str, version: str) -> Resource:
        return plain(self.client.execute(f"{type}/{id}/_history/{version}", method="get"))

    def unchanged(self, resource: Resource) -> bool:
        before = self._of(resource)
        return plain(before.refresh()) == resource  # If-None-Match

    def update(self, resource: Resource) -> Resource:
        return plain(self._of(resource).update())

    def update_version(self, resource: Resource, version: str) -> Resource:
        headers = {"If-Match": f'W/"{version}"'}
        client = SyncFHIRClient(base(), authorization=self.client.authorization, extra_headers=headers)
        return plain(client.resource(resource["resourceType"], **without_type(resource)).update())

    def update_if(self, resource: Resource, criteria: dict[str, str]) -> Resource:
        those = self.client.resources(resource["resourceType"]).search(**criteria)
        found, _ = those.update(self._of(resource))
        return plain(found)

    def delete(self, type: str, id: str) -> None:
        self.client.delete(type, id)

    def search(self, type: str, params: dict[str, str]) -> list[Resource]:
        return [plain(one) for one in self.client.resources(type).search(**params)]

    def search_with(self, type: str, params: dict[str, str]) -> list[Resource]:
        return [plain(one.resource) for one in self.client.resources(type).search(**params).fetch_raw().entry]

    def history(self, type: str, id: str) -> Resource:
        return plain(self.client.execute(f"{type}/{id}/_history", method="get"))

    def bundle(self, bundle: Resource) -> Resource:
        return plain(self.client.execute("", data=bundle))

    def validate(self, resource: Resource) -> bool:
        return bool(self._of(resource).is_valid())

    def merge(self, type: str, id: str, fields: Resource) -> Resource:
        return plain(self.client.patch(type, id, **fields))

    def _of(self, resource: Resource) -> Any:
        return self.client.resource(resource["resourceType"], **without_type(resource))


def without_type(resource: Resource) -> Resource:
    return {name: value for name, value in resource.items() if name != "resourceType"}


def step(method: Any) -> Any:
    def take(**asked: Any) -> Any:
        with refusals():
            return method(**asked)

    return take


if __name__ == "__main__":
    driver = Driver()
    names = [name for name in dir(driver) if not name.startswith("_")]
    run({name: step(getattr(driver, name)) for name in names if name != "client"})
