"""One person as the records hold her: found, shown, exported; her results come through the real inbox."""

import stat
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from person_centre import SYSTEM, looks, people, person_centre, push
from result_forms import FORMS, LONG, PDF
from sqlalchemy import update

from adapter.database import write_transaction
from adapter.insights.person_record import PersonRecord, person_record
from adapter.pipeline.application import Adapter
from adapter.records.model import Cadre, Result
from adapter.records.serialisation import serialise_record
from adapter.records.tables import record
from adapter.testing.centre import Centre
from adapter.text_folding import fold_text


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    with person_centre(tmp_path / "centre") as made:
        yield made


@pytest.fixture
def adapter(centre: Centre) -> Iterator[Adapter]:
    with centre.open() as opened:
        yield opened


def shown(adapter: Adapter, cadre: Cadre) -> PersonRecord:
    found = person_record(adapter, cadre.key)
    assert found is not None
    return found


def values(shown: PersonRecord, measure: str) -> list[tuple[str, str, str, str | None]]:
    return [
        (one.value, one.local, one.flag, one.hospital)
        for series in shown.values
        if series.measure == measure
        for one in series.values
    ]


def test_every_form_reaches_the_record_through_the_inbox(adapter: Adapter) -> None:
    cadre = people(adapter)[0]
    for number, form in enumerate(FORMS.values()):
        if form.sent["status"] == "entered-in-error":  # of what had come before
            push(adapter, cadre, {**form.sent, "id": f"form-{number}", "status": "final"})
        push(adapter, cadre, *form.along.values(), {**form.sent, "id": f"form-{number}"})
    held = {_source(one): one for one in adapter.records.of_cadre(cadre.key) if isinstance(one, Result)}
    for number, (name, form) in enumerate(FORMS.items()):
        result = held[f"{form.sent['resourceType']}/form-{number}"]
        assert result.content is not None, name
        assert result.title, name
        assert result.content.measure == form.holds.get("measure", result.content.measure), name
        if "members.0.content.value.amount.value" in form.holds:
            assert result.content.members[0].words in (result.value or ""), name


def _source(result: Result) -> str:
    return (result.content.source or "") if result.content else ""


def test_values_of_hospitals_stand_among_our_own_over_the_years(adapter: Adapter) -> None:
    cadre = people(adapter)[0]
    push(
        adapter,
        cadre,
        {**FORMS["`Observation` with `valueQuantity`"].sent, "effectiveDateTime": "2026-03-01"},
    )
    found = shown(adapter, cadre)
    assert ("<13.50 g/dL", "<135.0 g/L", "", "bv-tinh") in values(found, "HEM-HGB")
    assert len(found.visits) >= 1
    assert any(one.hospital is None for series in found.values for one in series.values)


def test_a_members_correction_is_read_with_the_report(adapter: Adapter) -> None:
    cadre = people(adapter)[0]
    sodium = {"resourceType": "Observation", "status": "final", "code": {"text": "Natri"}, "id": "na"}
    first = {
        **sodium,
        "valueQuantity": {"value": Decimal(121), "unit": "mmol/L"},
        "issued": "2026-03-01T08:00:00Z",
    }
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Phiếu"},
        "issued": "2026-03-01T09:00:00Z",
        "result": [{"reference": "Observation/na"}],
    }
    push(adapter, cadre, first, report)
    corrected = {
        **first,
        "meta": {"versionId": "2"},
        "status": "corrected",
        "issued": "2026-03-02T08:00:00Z",
        "valueQuantity": {"value": Decimal(141), "unit": "mmol/L"},
    }
    push(adapter, cadre, corrected)
    found = shown(adapter, cadre)
    [listed] = [one for one in found.results if one.type == "DiagnosticReport"]
    assert listed.value == "Natri 141 mmol/L"
    [own] = [one for one in found.results if one.type == "Observation"]
    assert [one.status for one in own.versions] == ["final", "corrected"]
    came = [one for series in found.values for one in series.values if one.hospital == "bv-tinh"]
    assert [one.value for one in came] == ["141 mmol/L"], "once, as it is now"


def test_a_withdrawn_value_is_no_value_over_the_years_and_stays_readable(adapter: Adapter) -> None:
    cadre = people(adapter)[0]
    withdrawn = FORMS["a withdrawn result"].sent
    push(adapter, cadre, {**withdrawn, "status": "final"})
    assert [one for one in values(shown(adapter, cadre), "BIO-K") if one[3] == "bv-tinh"]
    push(adapter, cadre, {**withdrawn, "meta": {"versionId": "2"}})
    found = shown(adapter, cadre)
    assert not [one for one in values(found, "BIO-K") if one[3] == "bv-tinh"]
    assert [(one.status, one.value) for one in found.results] == [("entered-in-error", "7.1 mmol/L [HH]")]


def test_what_was_recorded_before_results_had_parts_is_read_anew(adapter: Adapter) -> None:
    cadre = people(adapter)[0]
    push(adapter, cadre, FORMS["with contained results"].sent)
    [result] = [one for one in adapter.records.of_cadre(cadre.key) if isinstance(one, Result)]
    adapter.records.save_result(result.model_copy(update={"content": None}))
    [listed] = shown(adapter, cadre).results
    assert listed.value == result.value
    assert ("7.1 mmol/L", "", "HH", "bv-tinh") in values(shown(adapter, cadre), "BIO-K")


def test_a_person_is_found_by_key_number_and_name_and_nobody_is_guessed(centre: Centre) -> None:
    with centre.open() as adapter:
        cadre = people(adapter)[0]
        push(adapter, cadre, FORMS["pathology: a long conclusion and its codes"].sent)
        insurance = cadre.insurance[0] if cadre.insurance else cadre.national_id
    for words in (
        cadre.key,
        cadre.national_id,
        insurance,
        cadre.name,
        fold_text(cadre.name),
        cadre.name.lower(),
    ):
        done = centre.run_json("cadre", "show", str(words))
        assert [one["key"] for one in done["people"]] == [cadre.key], words
        [result] = done["record"]["results"]
        assert result["content"]["conclusion"] == LONG
    text = centre.run("cadre", "show", cadre.key)
    assert "KẾT LUẬN: CARCINOMA" in text
    assert "C34.1" in text
    assert centre.run("cadre", "show", "Nguyễn Chẳng Có Ai", code=2) == ""
    with centre.open() as adapter:
        assert ("record.read", adapter.audit_subject(cadre.key), '{"command":"cadre show"}') in looks(adapter)


def test_several_who_may_be_meant_are_listed_and_none_is_shown(centre: Centre) -> None:
    with centre.open() as adapter:
        first, second = people(adapter)[:2]
        namesake = second.model_copy(update={"name": first.name})
        _overwrite(adapter, namesake)
    found = centre.run_json("cadre", "show", fold_text(first.name), code=1)
    assert sorted(one["key"] for one in found["people"]) == sorted((first.key, second.key))
    assert "record" not in found
    said = centre.run("cadre", "show", first.name, code=1)
    assert first.key in said
    assert second.key in said


def _overwrite(adapter: Adapter, cadre: Cadre) -> None:
    body = serialise_record(cadre)
    with write_transaction(adapter.engine) as connection:
        connection.execute(
            update(record).where(record.c.kind == "cadre", record.c.key == cadre.key).values(body=body)
        )


def test_documents_are_written_as_they_came_and_for_nobody_else(centre: Centre, tmp_path: Path) -> None:
    with centre.open() as adapter:
        cadre = people(adapter)[0]
        binary = FORMS["with a PDF in a `Binary`"]
        push(adapter, cadre, *binary.along.values(), {**binary.sent, "id": "r1"})
        alone = {**FORMS["with a PDF alone (`presentedForm`)"].sent, "id": "r2"}
        inner = {**alone, "id": "x", "code": {"text": "trong"}}
        push(adapter, cadre, alone, {**alone, "id": "r3", "presentedForm": [], "contained": [inner]})
    folder = tmp_path / "documents"
    done = centre.run_json("cadre", "show", cadre.key, "--documents", str(folder))
    files = sorted(folder.iterdir())
    assert sorted(done["documents"]) == [one.name for one in files]
    assert [one.read_bytes() for one in files] == [PDF] * 3
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o600}
    assert cadre.name not in " ".join(one.name for one in files)


@pytest.mark.parametrize("type_", ["ImagingStudy", "DocumentReference", "Media", "Condition", "Encounter"])
def test_what_was_linked_and_has_no_place_in_the_record_is_named_there(centre: Centre, type_: str) -> None:
    with centre.open() as adapter:
        cadre, other = people(adapter)[:2]
        subject = {"identifier": {"system": SYSTEM, "value": cadre.national_id}}
        push(adapter, cadre, {"resourceType": type_, "status": "current", "subject": subject})
        [item] = adapter.inbox.items("unmatched")
    centre.run("inbox", "link", str(item.id), cadre.key)
    [paper] = centre.run_json("cadre", "show", cadre.key)["record"]["papers"]
    assert (paper["item"], paper["type"], paper["hospital"]) == (item.id, type_, "bv-tinh")
    assert f"adapter inbox show {item.id}" in centre.run("cadre", "show", cadre.key)
    assert centre.run_json("cadre", "show", other.key)["record"]["papers"] == []
    centre.run("inbox", "unlink", str(item.id))
    assert centre.run_json("cadre", "show", cadre.key)["record"]["papers"] == []


def test_what_waits_is_read_in_the_same_parts(centre: Centre) -> None:
    form = FORMS["with contained results"]
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"text": "Giấy ra viện"},
        "subject": {"display": "ai đó"},
        "content": [
            {"attachment": {"contentType": "text/plain", "data": "WGluIGNow6Bv", "title": "Bản tin"}}
        ],
    }
    with centre.open() as adapter:
        push(adapter, people(adapter)[0], {**form.sent, "subject": {"display": "ai đó"}}, document)
        [item] = [one.id for one in adapter.inbox.items("unmatched") if one.type == "DiagnosticReport"]
        papers = [one.id for one in adapter.inbox.items() if one.type == "DocumentReference"]
    said = centre.run("inbox", "show", str(item))
    assert "7.1 mmol/L" in said
    assert "HH" in said
    shown_json = centre.run_json("inbox", "show", str(item))
    assert shown_json["content"]["members"][0]["content"]["measure"] == "BIO-K"
    text = centre.run("inbox", "show", str(papers[0]))
    assert "Giấy ra viện" in text
    assert "Xin chào" in text
