"""HL7's own examples are found again by each of their search parameters."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from conformance.fetch import EXAMPLES

from adapter.database import open_database
from adapter.fhir import codec
from adapter.fhir.codec import Resource
from adapter.fhir.definitions.search_parameters import SearchParameter, search_parameters_of
from adapter.repository import store
from adapter.repository.bundle_entries import Interaction
from adapter.repository.repository import Repository
from adapter.repository.search_extraction import IndexRow, RangeRow, extracted_rows
from adapter.repository.search_query import parse_search
from adapter.repository.search_values import FOREVER
from adapter.web.app import ACCEPTED_TYPES

LARGE = 300_000  # bytes
TINY = 1e-30
ME = "bv-tinh"
# a performer that R4 does not allow, so that no search by the types it does allow finds it
KNOWN_BAD = {("clinical-gender", "performer")}


def examples() -> list[Resource]:
    paths = (path for path in sorted(EXAMPLES.glob("[A-Z]*-*.json")) if path.stat().st_size < LARGE)
    resources = (codec.loads_strictly(path.read_bytes()) for path in paths)
    return [one for one in resources if one.get("resourceType") in ACCEPTED_TYPES and one.get("id")]


def escaped(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\,|$" else sign for sign in text)


def instant(millis: float) -> str:
    moment = datetime.fromtimestamp(millis // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{int(millis % 1000):03d}Z"


def asked(parameter: SearchParameter, row: IndexRow | RangeRow) -> Iterator[tuple[str, str]]:
    """Modifiers and values that must find what the row was made from."""
    if isinstance(row, RangeRow) and parameter.kind == "date":
        if row.low > -FOREVER:
            yield "", f"ge{instant(row.low)}"
        if row.high < FOREVER:
            yield "", f"le{instant(row.high - 1)}"
    elif isinstance(row, RangeRow) and 0 < abs(row.low) < TINY:
        return  # an example of how long a decimal may be: nobody asks for 1E-245
    elif isinstance(row, RangeRow):
        number = codec.plain_decimal(codec.loads(f"[{row.low!r}]")[0]) if row.low > -FOREVER else "0"
        yield "", f"ge{number}"
        if row.code:
            yield "", f"ge{number}|{escaped(row.system)}|{escaped(row.code)}"
    elif parameter.kind == "token":
        yield "", escaped(row.value)
        yield "", f"{escaped(row.system)}|{escaped(row.value)}"
    elif parameter.kind == "string":
        yield "", escaped(row.system[:100])
        yield ":exact", escaped(row.system)
        yield ":contains", escaped(row.value[1:20] or row.value)
    else:
        yield "", escaped(row.value)


def rows_of(resource: Resource, parameter: SearchParameter) -> list[IndexRow | RangeRow]:
    names = {source.name for source in parameter.sources}
    found = [row for row in extracted_rows(resource, None) if row.name in names]
    if parameter.system:
        found = [row for row in found if row.system == parameter.system]
    if parameter.kind == "reference" and len(parameter.targets) == 1:
        found = [
            row for row in found if isinstance(row, IndexRow) and row.value.startswith(parameter.targets[0])
        ]
    return [row for row in found if "#" not in str(row) and "\\n" not in repr(row)]


def test_each_example_is_found_by_each_of_its_parameters(tmp_path: Path, figures: list[str]) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'examples.db'}")
    store.create_tables(engine)
    repository = Repository(engine)
    resources = examples()
    with repository.write_transaction(ME) as writer:
        writer.run([Interaction("PUT", one["resourceType"], one["id"], resource=one) for one in resources])
    draw = random.Random("search")  # noqa: S311 - the same values each time
    lost, searches, used = set(), 0, set()
    for resource in resources:
        kind, id_ = resource["resourceType"], resource["id"]
        for code, parameter in search_parameters_of(kind).items():
            rows = rows_of(resource, parameter) if parameter.kind != "composite" else []
            for row in draw.sample(rows, min(len(rows), 2)):
                for modifier, value in asked(parameter, row):
                    query = parse_search(kind, [(code + modifier, value), ("_id", id_)])
                    searches += 1
                    used.add((kind, code))
                    if not repository.search(ME, query).rows:
                        lost.add((id_, code))
    engine.dispose()
    figures.append(f"searches for {len(resources)} official examples by {len(used)} parameters: {searches}")
    assert lost == KNOWN_BAD
    assert len(used) > 250
