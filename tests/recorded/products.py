"""Servers that cannot be run here, as their manuals, sources and issue trackers have them.

Where a text is given it is the product's own; it is what a person at the centre would see.
"""

from collections.abc import Iterable
from uuid import uuid4

from recorded.server import Links, RecordedServer, Refusal, Resource, references

__all__ = ["PRODUCTS", "Aidbox", "Blaze", "Firely", "Google", "Microsoft"]


class Microsoft(RecordedServer):
    """The FHIR service of Azure and its open source (SQL). 500 entries; a second match and a stale ETag
    are both 412; which entry failed is not said; an identical PUT makes no version; a condition is not
    resolved against the same Bundle (microsoft/fhir-server#896, #1382, #1658, #2607).
    """

    software = "Microsoft FHIR Server"
    most_entries = 500
    makes_same_version = False

    def several(self, kind: str, query: str) -> Refusal:
        said = "Operation was not attempted because search criteria was not selective enough."
        return Refusal(412, "invalid", said)

    def check_bundle(self, bundle: Resource) -> None:
        if len(bundle["entry"]) > self.most_entries:
            said = "The number of entries in the bundle exceeded the configured limit of"
            raise Refusal(400, "invalid", f"{said} {self.most_entries}.")

    def checked(self, kind: str, resource: Resource, links: Links) -> None:
        """Referential integrity is not enforced; a condition as a reference is, and fails here."""
        if any("?" in one for one in references(resource)):
            raise Refusal(400, "invalid", "Given conditional reference does not resolve to a resource.")


class Google(RecordedServer):
    """Cloud Healthcare API. A conditional update is by identifier alone; clients name no ids unless the
    store is told so; referential integrity; versioning may be off; 4,500 entries.
    """

    software = "Google Cloud Healthcare API"
    most_entries = 4500
    tells_versions = False

    def new_id(self) -> str:
        return str(uuid4())

    def matches(self, kind: str, query: str) -> list[Resource]:
        if not query.startswith("identifier="):
            raise Refusal(400, "invalid", "conditional updates are limited to searching by identifier")
        return super().matches(kind, query)

    def several(self, kind: str, query: str) -> Refusal:
        return Refusal(412, "multiple-matches", "multiple resources match the search criteria")

    def may_create_at(self, kind: str, id_: str) -> None:
        raise Refusal(404, "not-found", f"resource {kind}/{id_} not found, and update-create is not enabled")


class Firely(RecordedServer):
    """Firely Server. 150 entries and 5 MiB; conditional writes race; a deleted id is gone for good; an
    identical PUT is a version.
    """

    software = "Firely Server"
    most_entries = 150

    def new_id(self) -> str:
        return str(uuid4())

    def may_create_at(self, kind: str, id_: str) -> None:
        if (kind, id_) in self.deleted:
            raise Refusal(409, "conflict", f"Resource {kind}/{id_} was deleted and cannot be updated")


class Aidbox(RecordedServer):
    """Aidbox. Entries are done in the order in which they stand, and a batch resolves no references
    between them; If-Match: * means an update and never a creation.
    """

    software = "Aidbox"
    links_forward = False

    def new_id(self) -> str:
        return str(uuid4())


class Blaze(RecordedServer):
    """Blaze. No conditional update by search (samply/blaze#361); a reference to what is not there is 409;
    a broken precondition 412; too many at once 503; unknown search parameters are ignored.
    """

    software = "Blaze"
    makes_same_version = False

    def search(self, kind: str, parameters: Iterable[tuple[str, str]]) -> list[Resource]:
        known = [
            (name, value) for name, value in parameters if name in ("identifier", "_tag", "_count", "page")
        ]
        return super().search(kind, known)

    def _target(self, method: str, url: str, if_none_exist: str | None) -> tuple[str, str | None]:
        if method in ("PUT", "DELETE") and "?" in url:
            raise Refusal(
                422, "not-supported", f"Conditional {method} of {url.partition('?')[0]} is unsupported."
            )
        return super()._target(method, url, if_none_exist)

    def missing(self, kind: str, reference: str) -> Refusal:
        said = f"Referential integrity violated. Resource `{reference}` doesn't exist."
        return Refusal(409, "conflict", said)


PRODUCTS = (Microsoft, Google, Firely, Aidbox, Blaze)
