"""A centre whose hospital is a real server: what it should hold, and what is there."""

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from openpyxl import Workbook, load_workbook
from processes import SMALL, Centre

from adapter.delivery.client import Answer, HospitalClient
from adapter.fhir import codec
from adapter.fhir.bundle import identities_of
from adapter.fhir.identity import search_parameter
from adapter.ledger.model import Entry
from adapter.pipeline import Adapter, write_bundles
from adapter.records import importer
from adapter.settings import Settings, load_settings

__all__ = ["HOSPITAL", "Content", "Site", "few", "normal", "with_cells"]

HOSPITAL = "bv-tinh"
PERSON = "CB-0001"  # whose records the tests change

Content = dict[str, dict[str, Any]]  # identity -> what a resource says, made comparable

_LITERAL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})(?:/_history/[^/]+)?$")
_BY_IDENTIFIER = re.compile(r"^[A-Z][A-Za-z]+\?(?:identifier|_tag)=[^|]*\|([0-9a-f]+)$")
_SERVERS_OWN = ("versionId", "lastUpdated", "source", "author", "project", "compartment")


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
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, database_url)
        self.base = base
        self.database_url = database_url
        self.key = key or secrets.token_hex(32)
        self.system = f"https://centre.test/sid/{self.key[:16]}"
        hospital = {"timeout_seconds": 15, **(settings or {})}
        lines = [
            'identity_key = "file:identity.key"',
            *([f'database_url = "{database_url}"'] if database_url else ()),
            "patience_seconds = 20",
            "[centre]",
            f'identifier_system = "{self.system}"',
            f"[hospitals.{HOSPITAL}]",
            'display = "Bệnh viện tỉnh"',
            'level = "provincial"',
            f'base_url = "{base}"',
            *(f"{name} = {value}" for name, value in hospital.items()),
            "[hospitals.bv-trung-uong]",  # the sample's referrals name it; nothing is sent there
            'display = "Bệnh viện Trung ương"',
            'level = "central"',
            'base_url = "http://127.0.0.1:9/fhir"',
        ]
        (folder / "adapter.toml").write_text("\n".join(lines), "utf-8")
        (folder / "identity.key").write_text(self.key)
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
        said: dict[str, Any] = self.facts("sync", HOSPITAL, code=code)["hospitals"][HOSPITAL]
        return said

    def wanted(self, workbook: Path) -> Content:
        """What the hospital should hold when the records are those of `workbook`, by way of a ledger
        that is empty: nothing that went wrong in this site's own can hide itself.
        """
        folder = self.folder / "wanted" / secrets.token_hex(4)
        with Adapter.open(self._settings(f"sqlite:///{folder / 'adapter.db'}")) as fresh:
            importer.run(
                fresh.engine,
                [workbook],
                max_deletions_percent=100,
                known_hospitals=frozenset(fresh.settings.hospitals),
                now=datetime.now(UTC),
            )
            write_bundles(fresh, HOSPITAL, folder / "out")
        bundles = sorted((folder / "out").glob("*.json"))
        entries = [entry for file in bundles for entry in codec.loads(file.read_bytes())["entry"]]
        by_url = {entry["fullUrl"]: self.identity(entry["resource"]) for entry in entries}

        def named(reference: str) -> str | None:
            by_identifier = _BY_IDENTIFIER.match(unquote(reference))
            return by_url.get(reference) or (by_identifier and by_identifier[1])

        return {self.identity(one): normal(one, named) for one in (entry["resource"] for entry in entries)}

    def parked(self) -> list[Entry]:
        """What waits for a person, as the ledger has it."""
        with Adapter.open(self._settings()) as adapter:
            return list(adapter.ledger.parked(HOSPITAL))

    def _settings(self, database_url: str | None = None) -> Settings:
        settings = load_settings(self.folder / "adapter.toml")
        return settings.model_copy(update={"database_url": database_url} if database_url else {})

    def identity(self, resource: dict[str, Any]) -> str:
        """Our one identifier of it."""
        (found,) = identities_of(resource, self.system)
        return found

    def search(self, type_: str) -> list[dict[str, Any]]:
        """Every resource of a type that carries an identifier of this site."""
        url = f"{type_}?{search_parameter(type_)}={quote(self.system + '|', safe='')}&_count=200"
        reply = self.client.search(url, max_pages=500)
        assert isinstance(reply, Answer), reply
        assert reply.status == 200, reply
        return [one for one in reply.body if identities_of(one, self.system)]

    def held(self, types: Iterable[str]) -> Content:
        """What the hospital holds of this site. Fails on a duplicate by identifier and on a reference
        to what is not there.
        """
        resources = [one for type_ in sorted(types) for one in self.search(type_)]
        identities = [self.identity(one) for one in resources]
        assert len(identities) == len(set(identities)), "duplicates by identifier"
        by_id = {f"{one['resourceType']}/{one['id']}": self.identity(one) for one in resources}

        def named(reference: str) -> str | None:
            literal = _LITERAL.search(reference)
            return by_id.get(literal[1]) if literal else None

        return {self.identity(one): normal(one, named) for one in resources}

    def check(self, workbook: Path) -> Content:
        """The hospital holds exactly what `workbook` makes: that, compared one by one."""
        wanted = self.wanted(workbook)
        held = self.held({one["resourceType"] for one in wanted.values()})
        assert held.keys() - wanted.keys() == set(), "what should not be there"
        assert wanted.keys() - held.keys() == set(), "missing"
        different = [
            (wanted[name], held[name]) for name in wanted if _plain(wanted[name]) != _plain(held[name])
        ]
        assert different == []
        return held


def normal(resource: dict[str, Any], named: Callable[[str], str | None]) -> dict[str, Any]:
    """What a resource says, apart from its id and what servers add; references by the identity of
    their target. Fails on a reference to nothing known.
    """

    def plain(node: Any, key: str = "") -> Any:
        if isinstance(node, dict):
            return {name: plain(part, name) for name, part in node.items()}
        if isinstance(node, list):
            return [plain(item, key) for item in node]
        if key == "reference" and not node.startswith("#"):
            target = named(node)
            assert target, f"an orphan: {resource['resourceType']} refers to {node}"
            return target
        return node

    meta = {name: part for name, part in resource.get("meta", {}).items() if name not in _SERVERS_OWN}
    rest = {name: part for name, part in resource.items() if name not in ("id", "meta")}
    return {**plain(rest), **({"meta": meta} if meta else {})}


def _plain(node: Any) -> Any:
    """The same with numbers by their value: JavaScript does not keep the last zero of 5.30."""
    if isinstance(node, dict):
        return {name: _plain(part) for name, part in node.items()}
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if isinstance(node, int | float | Decimal) and not isinstance(node, bool):
        return Decimal(str(node)).normalize()
    return node


def few(target: Path, people: int = 1, measures: int = 10, *, source: Path = SMALL) -> Path:
    """A workbook of the sample's first people with a few measurements each, for a slow server."""
    book = load_workbook(source)
    _rows(book, lambda sheet, row: _of(row)[3:] <= f"{people:04}")
    seen: dict[str, int] = {}

    def early(sheet: str, row: Mapping[str, Any]) -> bool:
        seen[_of(row)] = seen.get(_of(row), 0) + (sheet == "Chỉ số")
        return sheet != "Chỉ số" or seen[_of(row)] <= measures

    _rows(book, early)
    book.save(target)
    return target


def with_cells(source: Path, target: Path, keep: Callable[[str, dict[str, Any]], bool]) -> Path:
    """A copy of a workbook. `keep` is asked for every row (its sheet's name, its cells by column), may
    change the cells, and says whether the row stays.
    """
    book = load_workbook(source)
    _rows(book, keep)
    book.save(target)
    return target


def _of(row: Mapping[str, Any]) -> str:
    """Whose row it is."""
    return str(row.get("Mã cán bộ") or row["Mã lượt khám"]).split(".")[0]


def _rows(book: Workbook, keep: Callable[[str, dict[str, Any]], bool]) -> None:
    for sheet in book:
        header = [str(cell.value) for cell in sheet[1]]
        gone = []
        for cells in sheet.iter_rows(min_row=2):
            row = dict(zip(header, (cell.value for cell in cells), strict=True))
            if not any(row.values()):
                continue
            if not keep(sheet.title, row):
                gone.append(cells[0].row)
            for cell, name in zip(cells, header, strict=True):
                cell.value = row[name]
        for number in reversed(gone):
            sheet.delete_rows(number)
