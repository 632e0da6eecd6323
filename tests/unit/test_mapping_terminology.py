"""What the code tables lack, and what they hold as FHIR resources."""

from collections import Counter
from typing import Any

import orjson
import pytest
from fhir.resources.R4B import get_fhir_model_class
from mapping_support import mappings

from adapter.fhir.validation.checker import check_resource
from adapter.mapping.terminology.code_tables import LOINC_SYSTEM, UNFIT_UNIT
from adapter.mapping.terminology.fhir_publication import code_table_resources
from adapter.mapping.terminology.gaps import Gap, GapCounter, Suggestion

RESOURCES = code_table_resources(mappings().codes, "abc123")


def tally(unknown: dict[tuple[str, str], int], people: int = 1, name: str | None = None) -> tuple[Gap, ...]:
    made = GapCounter()
    for person in range(people):
        made.add(Counter(unknown), f"C{person}", name)
    return made.gaps(mappings().codes)


def test_gaps_are_listed_by_frequency_with_the_nearest_known_codes() -> None:
    found = tally({("measures", "BIO-GLUK"): 1, ("units", "mmol/l."): 3, ("services", "XYZ"): 2})
    assert [(gap.table, gap.code, gap.count) for gap in found] == [
        ("units", "mmol/l.", 3),
        ("services", "XYZ", 2),
        ("measures", "BIO-GLUK", 1),
    ]
    assert Suggestion("mmol/L", "mmol/L") in found[0].suggestions
    assert found[1].suggestions == ()
    assert {one.code for one in found[2].suggestions} & {"BIO-GLU", "BIO-GLUF"}


def test_a_gap_is_recognised_by_what_the_source_calls_it() -> None:
    found = tally({("measures", "23.0083.1494"): 1}, name="Định lượng glucose máu lúc đói")
    assert found[0].suggestions[0].code == "BIO-GLUF"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Định lượng Creatinin (máu)", "BIO-CREA"),
        ("Đo hoạt độ ALT (GPT) [Máu]", "BIO-ALT"),
        ("Định lượng Acid Uric [Máu]", "BIO-URIC"),
    ],
)
def test_a_gap_is_recognised_by_the_name_within_a_national_one(name: str, code: str) -> None:
    assert tally({("measures", "23.0051.1494"): 1}, name=name)[0].suggestions[0].code == code


def test_a_unit_that_does_not_fit_suggests_the_measures_own() -> None:
    (found,) = tally({(UNFIT_UNIT, "BIO-GLU mg/dL"): 4})
    assert found.suggestions == (Suggestion("mmol/L", "Glucose máu (bất kỳ)"),)


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ("qualitative", "âm tính, BN Nguyễn Văn A"),
        ("qualitative", "ASC-US"),
        ("measures", "Nguyễn Văn A"),
        ("units", "Nguyễn Văn A"),
        ("measures", "001060012345"),
        ("units", "0912.345.678"),
        ("icd10", "x" * 41),
    ],
)
def test_what_could_be_a_persons_is_counted_and_not_shown(table: str, code: str) -> None:
    assert tally({(table, code): 2}, people=4) == (Gap(table, None, 8),)
    assert tally({(table, code): 2}, people=5)[0].code == code


def test_each_table_with_local_codes_is_published() -> None:
    tables = mappings().codes.tables
    local = {name for name, table in tables.items() if table.system}
    for type_ in ("CodeSystem", "ValueSet"):
        found = {r["id"]: r["url"] for r in RESOURCES.values() if r["resourceType"] == type_}
        assert found.keys() == local
        assert all(f"/{type_}/" in url for url in found.values())
    systems = {r["id"]: r for r in RESOURCES.values() if r["resourceType"] == "CodeSystem"}
    assert all(systems[name]["url"] == tables[name].system for name in local)
    assert systems["measures"]["count"] == len(systems["measures"]["concept"]) == 142


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_what_is_published_is_valid(name: str) -> None:
    resource = RESOURCES[name]
    assert check_resource(resource) == []
    assert get_fhir_model_class(resource["resourceType"]).model_validate(resource)


def test_the_map_of_measures_says_every_target_and_names_its_owner() -> None:
    found = RESOURCES["ConceptMap-measures.json"]
    assert "Regenstrief" in found["copyright"]
    assert "copyright" not in RESOURCES["ConceptMap-vaccines.json"]
    (group,) = found["group"]
    assert (group["target"], len(group["element"])) == (LOINC_SYSTEM, 142)
    targets = {one["code"]: one["target"][0] for one in group["element"]}
    assert targets["BIO-GLU"]["code"] == "14749-6"
    assert targets["CLS-CADRE"] == {"equivalence": "unmatched"}


def test_the_same_tables_give_the_same_bytes_and_no_date() -> None:
    def text(resources: Any) -> bytes:
        return orjson.dumps(list(resources.items()))

    assert text(code_table_resources(mappings().codes, "abc123")) == text(RESOURCES)
    assert not any("date" in resource for resource in RESOURCES.values())
