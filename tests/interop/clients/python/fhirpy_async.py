"""fhirpy's AsyncFHIRClient."""

import asyncio
from typing import Any

from fhirpy import AsyncFHIRClient
from fhirpy_sync import plain, refusals, without_type
from wire import Resource, base, run


class Driver:
    async def connect(self, token: str | None) -> None:
        self.client = AsyncFHIRClient(base(), authorization=token and f"Bearer {token}")

    async def metadata(self) -> Resource:
        return plain(await self.client.execute("metadata", method="get"))

    async def create(self, resource: Resource) -> Resource:
        return plain(await self._of(resource).create())

    async def create_if_none(self, resource: Resource, criteria: dict[str, str]) -> Resource:
        return plain(await self._of(resource).create(**criteria))

    async def read(self, type: str, id: str) -> Resource:
        return plain(await self.client.get(type, id))

    async def vread(self, type: str, id: str, version: str) -> Resource:
        return plain(await self.client.execute(f"{type}/{id}/_history/{version}", method="get"))

    async def unchanged(self, resource: Resource) -> bool:
        return plain(await self._of(resource).refresh()) == resource  # If-None-Match

    async def update(self, resource: Resource) -> Resource:
        return plain(await self._of(resource).update())

    async def update_version(self, resource: Resource, version: str) -> Resource:
        headers = {"If-Match": f'W/"{version}"'}
        client = AsyncFHIRClient(base(), authorization=self.client.authorization, extra_headers=headers)
        return plain(await client.resource(resource["resourceType"], **without_type(resource)).update())

    async def update_if(self, resource: Resource, criteria: dict[str, str]) -> Resource:
        those = self.client.resources(resource["resourceType"]).search(**criteria)
        found, _ = await those.update(self._of(resource))
        return plain(found)

    async def delete(self, type: str, id: str) -> None:
        await self.client.delete(type, id)

    async def search(self, type: str, params: dict[str, str]) -> list[Resource]:
        return [plain(one) async for one in self.client.resources(type).search(**params)]

    async def search_with(self, type: str, params: dict[str, str]) -> list[Resource]:
        page = await self.client.resources(type).search(**params).fetch_raw()
        return [plain(one.resource) for one in page.entry]

    async def history(self, type: str, id: str) -> Resource:
        return plain(await self.client.execute(f"{type}/{id}/_history", method="get"))

    async def bundle(self, bundle: Resource) -> Resource:
        return plain(await self.client.execute("", data=bundle))

    async def validate(self, resource: Resource) -> bool:
        return bool(await self._of(resource).is_valid())

    async def merge(self, type: str, id: str, fields: Resource) -> Resource:
        return plain(await self.client.patch(type, id, **fields))

    def _of(self, resource: Resource) -> Any:
        return self.client.resource(resource["resourceType"], **without_type(resource))


if __name__ == "__main__":
    driver = Driver()
    loop = asyncio.new_event_loop()

    def step(name: str) -> Any:
        def take(**asked: Any) -> Any:
            with refusals():
                return loop.run_until_complete(getattr(driver, name)(**asked))

        return take

    run({name: step(name) for name in dir(driver) if not name.startswith("_") and name != "client"})
