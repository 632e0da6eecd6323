"""A centre whose hospital is a real server: what it should hold, and what is there."""

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from contents import Content, Resource, desired, difference, holding, identity, opened

from adapter.delivery.http.client import HospitalClient, HttpResponse
from adapter.fhir.bundle import identities_of
from adapter.fhir.identity import TYPES_WITHOUT_IDENTIFIER
from adapter.ledger.schema.values import LedgerEntry
from adapter.pipeline.application import Adapter
from adapter.testing import Centre

__all__ = ["HOSPITAL", "Site"]

HOSPITAL = "bv-tinh"


class Site(Centre):
    """Runs `adapter …` against one hospital: the server at `base`, under identities of its own, so that
    any number of sites may share a server.
    """

    def __init__(
        self,
        folder: Path,
        base: str,
        *,
        database_url: str | None = None,
        key: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.key = key or secrets.token_hex(32)
        self.system = f"https://centre.test/sid/{self.key[:16]}"
        hospital = {
            "display": "Bệnh viện tỉnh",
            "level": "provincial",
            "base_url": base,
            "timeout_seconds": 15,
        }
        elsewhere = {
            "display": "Bệnh viện Trung ương",
            "level": "central",
            "base_url": "http://127.0.0.1:9/fhir",
        }
        super().__init__(
            folder,
            # The sample's referrals name the second one; nothing is sent there.
            hospitals={HOSPITAL: hospital | dict(settings or {}), "bv-trung-uong": elsewhere},
            database_url=database_url,
            settings={
                "mappings": "mappings",
                "patience_seconds": 20,
                "lease_seconds": 120,
                "centre": {"identifier_system": self.system},
            },
        )
        self.base = base
        self.database_url = database_url
        (folder / "identity.key").write_text(self.key)
        opened(folder / "mappings")
        self.client = HospitalClient(base, timeout=120)

    def close(self) -> None:
        """Kill what still runs, and close all connections."""
        super().close()
        self.client.close()

    def take(self, workbook: Path) -> None:
        """Import a workbook, deletions and all."""
        self.run("import", str(workbook), "--allow-deletions")

    def sync(self, code: int = 0) -> dict[str, Any]:
        """One sync that must end with `code`; what it says of the hospital."""
        said: dict[str, Any] = self.run_json("sync", HOSPITAL, code=code)["hospitals"][HOSPITAL]
        return said

    def wanted(self) -> Content:
        """What the hospital should hold by the records as they are, by way of a ledger that is empty:
        nothing that went wrong in this site's own can hide itself. For a site on SQLite.
        """
        return desired(self.settings(), HOSPITAL, self.folder / "wanted" / secrets.token_hex(4))

    def parked(self) -> list[LedgerEntry]:
        """What waits for a person, as the ledger has it."""
        with Adapter.open(self.settings()) as adapter:
            return list(adapter.ledger.parked(HOSPITAL))

    def identity(self, resource: Resource) -> str:
        """Our one identifier of it."""
        return identity(resource, self.system)

    def search(self, type_: str) -> list[dict[str, Any]]:
        """Every resource of a type that carries an identifier of this site."""
        of_ours = f"identifier={quote(self.system + '|', safe='')}&"
        if type_ in TYPES_WITHOUT_IDENTIFIER:  # HAPI takes no tag without its code
            of_ours = ""
        url = f"{type_}?{of_ours}_count=200"
        reply = self.client.search(url, max_pages=500)
        assert isinstance(reply, HttpResponse), reply
        assert reply.status == 200, reply
        return [one for one in reply.body if identities_of(one, self.system)]

    def held(self, types: Iterable[str]) -> Content:
        """What the hospital holds of this site, of these types."""
        return holding((one for type_ in sorted(types) for one in self.search(type_)), self.system)

    def check(self) -> Content:
        """The hospital holds exactly what the records make, compared one by one: that."""
        wanted = self.wanted()
        held = self.held({one["resourceType"] for one in wanted.values()})
        assert difference(wanted, held) == {}
        return held
