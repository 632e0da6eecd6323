"""SMART Health IT's fhirclient."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from fhirclient import client, server
from fhirclient.models import bundle, fhirelementfactory, fhirsearch
from wire import Refused, Resource, base, run

_REFUSALS = (
    server.FHIRUnauthorizedException,
    server.FHIRPermissionDeniedException,
    server.FHIRNotFoundException,
    requests.HTTPError,
)


@contextmanager
def refusals() -> Iterator[None]:
    try:
        yield
    except _REFUSALS as error:
        raise Refused(error.response.status_code, error.response.content) from error


def made(resource: Resource) -> Any:
    return fhirelementfactory.FHIRElementFactory.instantiate(resource["resourceType"], resource)


class Driver:
    def connect(self, token: str | None) -> None:
        at = {"base_uri": base() + "/", "auth_type": "oauth2" if token else "none"}
        at["auth"] = {"app_id": "driver", "access_token": token} if token else {"app_id": "driver"}
        self.smart = client.FHIRClient(state={"app_id": "driver", "server": at})
        self.at = self.smart.server

    def login(self, assertion: str, scope: str, token_url: str) -> None:
        settings = {"app_id": "driver", "api_base": base(), "scope": scope, "jwt_token": assertion}
        self.smart = client.FHIRClient(settings=settings)
        self.smart.prepare()  # finds `token_url` by itself, in the CapabilityStatement
        self.smart.authorize()
        self.at = self.smart.server

    def metadata(self) -> Resource:
        return self.at.capabilityStatement.as_json()

    def create(self, resource: Resource) -> Resource:
        return made(resource).create(self.at)

    def read(self, type: str, id: str) -> Resource:
        return type_of(type).read(id, self.at).as_json()

    def vread(self, type: str, id: str, version: str) -> Resource:
        return type_of(type).read_from(f"{type}/{id}/_history/{version}", self.at).as_json()

    def update(self, resource: Resource) -> Resource:
        return made(resource).update(self.at)

    def delete(self, type: str, id: str) -> None:
        found = type_of(type)()
        found.id = id
        found.delete(self.at)

    def search(self, type: str, params: dict[str, str]) -> list[Resource]:
        found = fhirsearch.FHIRSearch(type_of(type), params)
        return [one.as_json() for one in found.perform_resources_iter(self.at)]

    search_with = search

    def history(self, type: str, id: str) -> Resource:
        return bundle.Bundle.read_from(f"{type}/{id}/_history", self.at).as_json()

    def bundle(self, bundle: Resource) -> Resource:
        return made(bundle).create(self.at)


def type_of(name: str) -> Any:
    return type(fhirelementfactory.FHIRElementFactory.instantiate(name, None))


def step(method: Any) -> Any:
    def take(**asked: Any) -> Any:
        with refusals():
            return method(**asked)

    return take


if __name__ == "__main__":
    driver = Driver()
    names = [name for name, value in vars(Driver).items() if not name.startswith("_") and callable(value)]
    run({name: step(getattr(driver, name)) for name in names})
