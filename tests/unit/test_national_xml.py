"""The insurer's XML without input or output: its sheets, its moments, and what each file becomes."""

import base64
import json
import random
import re
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from national_xml_centre import (
    CREATININE,
    IDENTITY,
    SUMMARY,
    SYSTEM,
    VISIT,
    file_of,
    malformed,
    opened,
    sheet_xml,
)

from adapter.errors import FhirError
from adapter.fhir import codec
from adapter.fhir.validation.checker import check_resource
from adapter.national_xml.conventions import FileConventions
from adapter.national_xml.conversion import convert_file
from adapter.national_xml.envelope import ROWS_OF_SHEETS
from adapter.national_xml.moments import birth_date_of, moment_of
from adapter.national_xml.refusals import FilePlace
from adapter.national_xml.sheet_texts import sheet_texts
from adapter.records.sources.checkup.form_mapping import load_form_mapping

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "fixtures" / "national_xml"
PAGE = (ROOT / "docs" / "national-xml.md").read_text("utf-8")
FILES = sorted(FOLDER.glob("*.xml"))
CONVENTIONS = FileConventions(
    "https://cadre-health.example/fhir/sid/record",
    SYSTEM,
    "http://fhir.ehealth.gov.vn/core/sid/citizen_id",
)
_BARE = f"<TONG_HOP><MA_LK>{VISIT}</MA_LK></TONG_HOP>"
SHEETS: dict[str, Any] = {"XML1": [SUMMARY], "XML4": [CREATININE]}


def bundle_of(data: bytes) -> dict[str, Any]:
    return convert_file(data, CONVENTIONS, lambda: load_form_mapping(None)).transaction.bundle


def converted(data: bytes) -> list[dict[str, Any]]:
    return [one["resource"] for one in bundle_of(data)["entry"]]


def of_type(resources: list[dict[str, Any]], type_: str) -> list[dict[str, Any]]:
    return [one for one in resources if one["resourceType"] == type_]


def observation(**changes: str) -> dict[str, Any]:
    rows = [{**CREATININE, **changes}]
    [found] = of_type(converted(file_of({**SHEETS, "XML4": rows})), "Observation")
    return found


def refusal_of(data: bytes) -> FhirError:
    with pytest.raises(FhirError) as caught:
        convert_file(data, CONVENTIONS)
    return caught.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_becomes_what_stands_beside_it(path: Path) -> None:
    bundle = bundle_of(path.read_bytes())
    assert codec.dumps(bundle) == codec.dumps(codec.loads(path.with_suffix(".json").read_bytes()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_file_becomes_is_valid(path: Path) -> None:
    for resource in converted(path.read_bytes()):
        assert [issue.text for issue in check_resource(resource) if issue.is_error] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_is_made_up_and_no_value_is_lost(path: Path) -> None:
    """Every result stands in a resource as it was written; no range, flag, specimen or time of collection."""
    text = opened(path.read_bytes())
    resources = converted(path.read_bytes())
    said = json.dumps(json.loads(codec.dumps(resources)), ensure_ascii=False)
    for field in ("GIA_TRI", "MO_TA", "KET_LUAN"):
        for value in re.findall(rf"<{field}>(?:<!\[CDATA\[)?([^<\]]+)", text):
            plain = value.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
            digits = plain.lstrip("<").removesuffix(".0")
            assert json.dumps(plain, ensure_ascii=False)[1:-1] in said or digits in said
    for resource in of_type(resources, "Observation"):
        assert resource.keys().isdisjoint(
            ("referenceRange", "interpretation", "specimen", "effectiveDateTime", "method", "performer")
        )
    assert "CCHN" not in said, "nobody of the staff is taken"


def test_there_is_a_file_with_each_sheet_that_is_read() -> None:
    texts = "".join(path.read_text("utf-8") for path in FILES)
    assert [name for name in ROWS_OF_SHEETS if f"<LOAIHOSO>{name}<" not in texts] == []


def test_the_page_names_each_sheet_and_field_that_is_read() -> None:
    assert [name for name in ROWS_OF_SHEETS if f"`{name}`" not in PAGE] == []
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "adapter" / "national_xml").glob("*.py"))
    fields = set(re.findall(r'"([A-Z]{2,}(?:_[A-Z]+)+)"', sources)) - {"NOTE_EXTENSION", "ROWS_OF_SHEETS"}
    elements = {*ROWS_OF_SHEETS.values()}
    assert sorted(one for one in fields - elements if f"`{one}`" not in PAGE) == []


@pytest.mark.parametrize(
    ("written", "unit", "expected"),
    [
        ("104.0", "µmol/L", {"valueQuantity": {"value": "104.0", "unit": "µmol/L"}}),
        ("104", "", {"valueQuantity": {"value": "104"}}),
        ("< 0.5", "mg/L", {"valueQuantity": {"value": "0.5", "comparator": "<", "unit": "mg/L"}}),
        ("-2.5", "", {"valueQuantity": {"value": "-2.5"}}),
        ("5,3", "mmol/L", {"valueString": "5,3 mmol/L"}),
        ("1.234,5", "", {"valueString": "1.234,5"}),
        ("1e5", "", {"valueString": "1e5"}),
        ("٣", "", {"valueString": "٣"}),
        ("Âm tính", "", {"valueString": "Âm tính"}),
        ("120/80", "mmHg", {"valueString": "120/80 mmHg"}),
    ],
)
def test_a_value_is_a_number_only_where_it_can_be_no_other(
    written: str, unit: str, expected: dict[str, Any]
) -> None:
    found = observation(GIA_TRI=written, DON_VI_DO=unit)
    value = {key: one for key, one in found.items() if key.startswith("value")}
    if "valueQuantity" in value:
        value["valueQuantity"]["value"] = str(value["valueQuantity"]["value"])
    assert value == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", None),
        ("20261102", "2026-11-02"),
        ("202611021005", "2026-11-02T10:05:00+07:00"),
        ("20261102100507", "2026-11-02T10:05:07+07:00"),
    ],
)
def test_moments_keep_their_precision(written: str, expected: str | None) -> None:
    assert moment_of(written, FilePlace()) == expected


@pytest.mark.parametrize(
    "written",
    ["2026", "2026110", "20261302", "20260230", "202611022400", "2026-11-02", "0", "２０２６１１０２"],
)
def test_what_is_no_moment_is_refused(written: str) -> None:
    with pytest.raises(FhirError):
        moment_of(written, FilePlace())


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("196003120000", "1960-03-12"),
        ("19600312", "1960-03-12"),
        ("19600000", "1960"),
        ("196003000000", "1960-03"),
        ("", None),
    ],
)
def test_a_birth_date_says_what_is_known(written: str, expected: str | None) -> None:
    assert birth_date_of(written, FilePlace()) == expected


def test_a_result_that_is_awaited_says_nothing_until_it_is_there() -> None:
    awaited = {**CREATININE, "GIA_TRI": "", "NGAY_KQ": ""}
    assert of_type(converted(file_of({**SHEETS, "XML4": [awaited]})), "DiagnosticReport") == []


def test_a_correction_has_the_identity_of_what_it_corrects_and_a_repeat_has_not() -> None:
    first, corrected = observation(), observation(GIA_TRI="98", STT="7")
    repeated = observation(GIA_TRI="98", NGAY_KQ="202611030900")
    assert first["identifier"] == corrected["identifier"] != repeated["identifier"]


def test_a_result_written_with_seconds_is_the_same() -> None:
    assert observation()["identifier"] == observation(NGAY_KQ="20261102100000")["identifier"]


def test_the_referral_is_that_of_the_letter_or_of_the_spare_field() -> None:
    def based_on(**changes: str) -> Any:
        found = converted(file_of({**SHEETS, "XML1": [{**SUMMARY, **changes}]}))
        return of_type(found, "Observation")[0].get("basedOn")

    ours = [{"type": "ServiceRequest", "identifier": {"system": CONVENTIONS.ours, "value": IDENTITY}}]
    dashed = "-".join((IDENTITY[:8], IDENTITY[8:12], IDENTITY[12:16], IDENTITY[16:20], IDENTITY[20:])).upper()
    assert based_on() == based_on(GIAY_CHUYEN_TUYEN=dashed) == ours
    assert based_on(GIAY_CHUYEN_TUYEN="12/GCT", DU_PHONG=IDENTITY) == ours
    [other] = based_on(GIAY_CHUYEN_TUYEN="12/2026/GCT")
    assert other["identifier"] == {"system": f"{SYSTEM}/order", "value": "12/2026/GCT"}
    assert based_on(GIAY_CHUYEN_TUYEN="") is None


def test_codes_are_the_hospitals_own_unless_the_centre_knows_better() -> None:
    known = FileConventions("x", "y", indicators="http://loinc.org", services="urn:services")
    bundle = convert_file(file_of(SHEETS), known).transaction.bundle
    found = {one["resource"]["resourceType"]: one["resource"] for one in bundle["entry"]}
    assert found["Observation"]["code"]["coding"][0]["system"] == "http://loinc.org"
    assert found["DiagnosticReport"]["code"]["coding"][0]["system"] == "urn:services"


@pytest.mark.parametrize(
    ("sheets", "where", "words"),
    [
        ({"XML4": [CREATININE]}, "HOSO[1]/XML1", "no XML1"),
        ({"XML1": f"<a>{_BARE}{_BARE}</a>"}, "HOSO[1]/XML1", "several TONG_HOP"),
        ({"XML1": [{**SUMMARY, "MA_LK": ""}]}, "HOSO[1]/XML1[1]/MA_LK", "is empty"),
        ({**SHEETS, "XML4": [CREATININE, {**CREATININE, "MA_LK": "X"}]}, "HOSO[1]/XML4[2]/MA_LK", "not that"),
        ({**SHEETS, "XML4": [{**CREATININE, "NGAY_KQ": "hôm qua"}]}, "HOSO[1]/XML4[1]/NGAY_KQ", "no time"),
        ({"XML1": [{**SUMMARY, "NGAY_SINH": "12/03/1960"}]}, "HOSO[1]/XML1[1]/NGAY_SINH", "no time"),
        ({**SHEETS, "XML4": "<a><b>1</b></a>"}, "HOSO[1]/XML4", "CHI_TIET_CLS"),
        ({**SHEETS, "XML4": "<a>&x;</a>"}, "HOSO[1]/XML4", "line 1"),
        ({**SHEETS, "XML4": "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"}, "HOSO[1]/XML4", "document type"),
        ({**SHEETS, "XML4": "<a>" * 50 + "</a>" * 50}, "HOSO[1]/XML4", "deeper"),
    ],
)  # fmt: skip
def test_what_is_refused_says_where_and_why(sheets: dict[str, Any], where: str, words: str) -> None:
    error = refusal_of(file_of(sheets))
    assert error.expression == where
    assert words in str(error)
    assert "Đức" not in str(error)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not well-formed"),
        (b"%PDF-1.7", "not well-formed"),
        (b"<ClinicalDocument/>", "GIAMDINHHS"),
        (b"<GIAMDINHHS/>", "no HOSO"),
        (file_of(SHEETS).replace(b"<SOLUONGHOSO>1<", b"<SOLUONGHOSO>2<"), "see whether it was cut"),
        (file_of(SHEETS, SHEETS), "same MA_LK"),
        (
            file_of(SHEETS, {"XML1": [{**SUMMARY, "MA_LK": "2", "HO_TEN": "Đỗ Văn Dũng"}]}),
            "different things",
        ),
        (re.sub(rb"<NOIDUNGFILE>..", b"<NOIDUNGFILE>*", file_of(SHEETS), count=1), "neither base64 nor XML"),
        (file_of(SHEETS)[:-400], "see whether it was cut"),
    ],
)
def test_a_file_that_is_none_or_not_whole_is_refused(data: bytes, words: str) -> None:
    error = refusal_of(data)
    assert words in str(error)
    assert error.status in (400, 422)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_in_any_unicode_says_the_same(encoding: str) -> None:
    text = file_of(SHEETS).decode().replace('encoding="utf-8"', 'encoding="UTF-16"' * (encoding == "utf-16"))
    assert converted(text.encode(encoding)) == converted(file_of(SHEETS))


def test_a_sheet_that_says_utf_16_and_is_utf_8_is_read() -> None:
    """As .NET's StringWriter writes it."""
    sheet = sheet_xml("XML1", SUMMARY).replace('encoding="utf-8"', 'encoding="utf-16"')
    assert converted(file_of({**SHEETS, "XML1": sheet})) == converted(file_of(SHEETS))


def test_a_sheet_may_be_xml_itself() -> None:
    data = file_of(SHEETS)
    plain = re.sub(
        rb"(<NOIDUNGFILE>)([^<]*)",
        lambda one: one[1] + base64.b64decode(one[2]).split(b"?>\n", 1)[1],
        data,
    )
    escaped = re.sub(
        rb"(<NOIDUNGFILE>)([^<]*)",
        lambda one: one[1] + b"<![CDATA[" + base64.b64decode(one[2]) + b"]]>",
        data,
    )
    assert converted(plain) == converted(escaped) == converted(data)


def test_sheets_that_are_not_read_are_named_and_not_opened() -> None:
    found = convert_file(file_of({**SHEETS, "XML2": "<no xml", "XML6": "&"}), CONVENTIONS)
    assert found.unread == ("XML2", "XML6")


def test_a_file_of_many_elements_takes_little_memory() -> None:
    for sheet in ("<a/>" * 400_000, "<a>" * 400_000):
        data = file_of({"XML1": [SUMMARY], "XML4": f"<x>{sheet}</x>"})
        tracemalloc.start()
        begun = time.perf_counter()
        refusal_of(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 60_000_000
        assert time.perf_counter() - begun < 10


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_is_spoilt_is_refused_or_valid(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    resources, refused = [], None
    try:
        resources = converted(malformed(chance, SHEETS))
    except FhirError as error:
        refused = error
    if refused is not None:
        assert (refused.status in (400, 422), bool(str(refused))) == (True, True)
    for resource in resources:
        assert [issue.text for issue in check_resource(resource) if issue.is_error] == []


def test_what_stands_in_base64_is_found_however_it_is_spoilt() -> None:
    data = file_of(SHEETS).decode()
    assert "024060012345" not in data
    whole = data.index("NOIDUNGFILE>") + len("NOIDUNGFILE>")
    for begin in range(whole, whole + 9):
        assert "024060012345" in sheet_texts("<" + data[begin:])
    assert "024060012345" in sheet_texts(data.replace("<LOAIHOSO>", "*"))
    assert sheet_texts("không có gì") == ""


def test_a_checkup_confirms_only_what_is_confirmed() -> None:
    data = (FOLDER / "checkup.xml").read_bytes()
    [report] = of_type(converted(data), "DiagnosticReport")
    assert [one["coding"][0]["code"] for one in report["conclusionCode"]] == ["I10"]
    text = base64.b64decode(report["presentedForm"][0]["data"]).decode()
    assert "Chẩn đoán chưa xác định: E11 Đái tháo đường" in text
    assert "Tiền sử: E78" in text
    nobody = data.replace(b"<MA_LK>KSK-0001</MA_LK>", b"")
    with pytest.raises(FhirError, match="MA_LK is empty"):
        converted(nobody)
    with pytest.raises(FhirError, match="HO_SO_KSK"):
        converted(data.replace(b"HO_SO_KSK>", b"KHAC>"))


def test_numbers_of_a_visit_do_not_mix_with_those_of_another() -> None:
    other = {**SUMMARY, "MA_LK": "LK-2"}
    found = converted(file_of(SHEETS, {"XML1": [other], "XML4": [{**CREATININE, "MA_LK": "LK-2"}]}))
    names = [one["identifier"][0]["value"] for one in of_type(found, "Observation")]
    assert len(set(names)) == 2
    assert [VISIT in one for one in names] == [True, False]
    assert len(of_type(found, "Patient")) == 1
