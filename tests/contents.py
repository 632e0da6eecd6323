"""What a hospital should hold and what it holds, made comparable: independent of ledger and delivery."""

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from adapter.fhir import codec
from adapter.fhir.bundle import identities_of
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.planning import write_bundles
from adapter.settings import Settings

__all__ = ["Content", "Resource", "desired", "difference", "holding", "identity", "opened", "planned"]

Resource = dict[str, Any]
Content = dict[str, Resource]  # identity -> what a resource says

MAPPINGS = Path(__file__).parents[1] / "mappings"
_LITERAL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})(?:/_history/[^/]+)?$")
_BY_IDENTIFIER = re.compile(r"^[A-Z][A-Za-z]+\?(?:identifier|_tag)=[^|]*\|([0-9a-f]+)$")
_SERVERS_OWN = ("versionId", "lastUpdated", "source", "author", "project", "compartment")


def opened(folder: Path) -> Path:
    """A copy of the shipped mappings by which a Provenance goes too: a type without identifiers."""
    shutil.copytree(MAPPINGS, folder)
    policy = folder / "disclosure.yaml"
    text = policy.read_text("utf-8").replace("open: [centre]", "open: [centre, origin]")
    policy.write_text(text, "utf-8")
    return folder


def planned(bundles: Path, system: str) -> Content:
    """What the Bundles in a folder would make a hospital hold."""
    files = sorted(bundles.glob("*.json"))
    entries = [entry for file in files for entry in codec.loads(file.read_bytes())["entry"]]
    by_url = {entry["fullUrl"]: identity(entry["resource"], system) for entry in entries}

    def named(reference: str) -> str | None:
        by_identifier = _BY_IDENTIFIER.match(unquote(reference))
        return by_url.get(reference) or (by_identifier and by_identifier[1])

    return _content((entry["resource"] for entry in entries), system, named)


def holding(resources: Iterable[Resource], system: str) -> Content:
    """What a hospital holds under our identifiers. Fails on a duplicate by identifier, and on a reference
    to what is not there.
    """
    ours = [one for one in resources if identities_of(one, system)]
    by_id = {f"{one['resourceType']}/{one['id']}": identity(one, system) for one in ours}

    def named(reference: str) -> str | None:
        literal = _LITERAL.search(reference)
        return by_id.get(literal[1]) if literal else None

    content = _content(ours, system, named)
    assert len(content) == len(ours), "duplicates by identifier"
    return content


def desired(settings: Settings, hospital: str, folder: Path) -> Content:
    """What a hospital should hold by the records in a SQLite database, planned in a copy of it in which
    nothing was ever sent: it owes nothing to the ledger that is being tested.
    """
    folder.mkdir(parents=True)
    database = Path(settings.resolved_database_url.removeprefix("sqlite:///"))
    settings = settings.model_copy()
    settings.__dict__["resolved_database_url"] = _unsent(database, folder / "copy.db")
    with Adapter.open(settings) as fresh:
        write_bundles(fresh, hospital, folder / "out")
    return planned(folder / "out", settings.centre.identifier_system)


def _unsent(database: Path, copy: Path) -> str:
    """URL of a copy with the same records and an empty ledger."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        for table in ("ledger_entry", "ledger_shipment"):
            target.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
        target.execute("UPDATE ledger_hospital SET planned_position = 0, planned_version = ''")
        target.commit()
    return f"sqlite:///{copy}"


def difference(wanted: Content, held: Content) -> dict[str, list[object]]:
    """What is missing, what should not be there, and what says something else; empty when all is right."""
    found: dict[str, list[object]] = {
        "missing": [wanted[name] for name in wanted.keys() - held.keys()],
        "extra": [held[name] for name in held.keys() - wanted.keys()],
        "different": [
            (wanted[name], held[name])
            for name in wanted.keys() & held.keys()
            if _by_value(wanted[name]) != _by_value(held[name])
        ],
    }
    return {kind: listed for kind, listed in found.items() if listed}


def identity(resource: Mapping[str, Any], system: str) -> str:
    """Our one identifier of a resource."""
    (found,) = identities_of(dict(resource), system)
    return found


def _content(resources: Iterable[Resource], system: str, named: Callable[[str], str | None]) -> Content:
    return {identity(one, system): _normal(one, named) for one in resources}


def _normal(resource: Resource, named: Callable[[str], str | None]) -> Resource:
    """What a resource says, apart from its id and what servers add; references by their target's identity."""

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


def _by_value(node: Any) -> Any:
    """The same with numbers by their value: JavaScript does not keep the last zero of 5.30."""
    if isinstance(node, dict):
        return {name: _by_value(part) for name, part in node.items()}
    if isinstance(node, list):
        return [_by_value(item) for item in node]
    if isinstance(node, int | float | Decimal) and not isinstance(node, bool):
        return Decimal(str(node)).normalize()
    return node
