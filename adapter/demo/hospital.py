"""A sandbox hospital as its own staff see it, over HTTP."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from adapter.delivery.http.client import HospitalClient, HttpResponse
from adapter.errors import AdapterError
from adapter.fhir import codec

__all__ = ["HospitalView"]

_TRIES = 20  # the hospital's faults are on


class HospitalView:
    """What one sandbox hospital holds, and what it counted."""

    def __init__(self, name: str, base_url: str, token: str) -> None:
        self.name = name
        self.base_url = base_url
        self.own_system = f"https://{name}.example/fhir/sid/result"  # of what its doctor finds
        self._client = HospitalClient(base_url, token=token, timeout=60)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return urlsplit(self.base_url).port or 80

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def is_up(self) -> bool:
        """Whether it answers."""
        reply = self._client.get("metadata")
        return isinstance(reply, HttpResponse) and reply.status == 200

    def get(self, url: str) -> Any:
        """The JSON at `url`. Raises AdapterError when it is not there."""
        for _ in range(_TRIES):
            reply = self._client.get(url)
            if isinstance(reply, HttpResponse) and reply.status == 200:
                return reply.body
        raise AdapterError("demo.no_answer", name=self.name, url=url)

    def stats(self) -> Any:
        """What it counted: requests, writes, faults."""
        return self.get(self.base_url.removesuffix("/fhir") + "/$sandbox/stats")

    def post(self, bundle: dict[str, Any]) -> None:
        """Write to the hospital directly, behind the adapter's back."""
        for _ in range(_TRIES):
            reply = self._client.post_bundle(codec.dumps(bundle))
            if isinstance(reply, HttpResponse) and reply.status == 200:
                return
        raise AdapterError("demo.no_answer", name=self.name, url="/")

    def count(self, type_: str) -> int:
        """How many resources of a type it holds."""
        return int(self.get(f"{type_}?_summary=count")["total"])

    def all(self, type_: str) -> Iterator[dict[str, Any]]:
        """Every resource of a type, page by page."""
        url: str | None = f"{type_}?_count=500"
        while url:
            bundle = self.get(url)
            for entry in bundle.get("entry") or ():
                yield entry["resource"]
            links = {link["relation"]: link["url"] for link in bundle.get("link") or ()}
            url = links.get("next")
