"""The parts of the repository that decide without a database."""

from datetime import UTC, datetime

import pytest

from adapter.errors import FhirError
from adapter.repository.reference_rewriting import conditional_type, reference_links, rewrite_references
from adapter.repository.resource_types import ID_PATTERN, RESOURCE_TYPES, search_parameters
from adapter.repository.search_extraction import IndexRow, index_value
from adapter.repository.search_index import index_rows
from adapter.repository.search_matches import Criterion, ReferenceMatch, TokenCriterion
from adapter.repository.search_query import parse_condition, parse_query_string, parse_search
from adapter.repository.search_values import RangeMatch, instant_match, number_match
from adapter.repository.stored_content import ResourceContent, format_instant, new_resource_id


def millis(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ("urn:x|7", TokenCriterion("urn:x", "7")),
        ("|7", TokenCriterion("", "7")),
        ("7", TokenCriterion(None, "7")),
        ("urn:x|", TokenCriterion("urn:x", None)),
        (r"urn:x|a\,b\|c\\d", TokenCriterion("urn:x", r"a,b|c\d")),
        ("urn:x|a|b", TokenCriterion("urn:x", "a|b")),
    ],
)
def test_a_token_keeps_its_system_and_value(value: str, token: TokenCriterion) -> None:
    assert parse_search("Patient", [("identifier", value)]).tokens == ((token,),)


def test_a_comma_means_or_and_repetition_means_and() -> None:
    query = parse_search("Patient", [("identifier", "a,b"), ("identifier", "c")])
    assert query.tokens == (
        (TokenCriterion(None, "a"), TokenCriterion(None, "b")),
        (TokenCriterion(None, "c"),),
    )
    assert query.one_identifier is None


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("2026", "2026-01-01T00:00:00+07:00", "2027-01-01T00:00:00+07:00"),
        ("2026-12", "2026-12-01T00:00:00+07:00", "2027-01-01T00:00:00+07:00"),
        ("eq2026-02-28", "2026-02-28T00:00:00+07:00", "2026-03-01T00:00:00+07:00"),
        ("2026-02-28T08:00Z", "2026-02-28T08:00:00+00:00", "2026-02-28T08:01:00+00:00"),
        ("2026-02-28T08:00:05.5+01:00", "2026-02-28T07:00:05.500+00:00", "2026-02-28T07:00:05.501+00:00"),
        ("ge2026-02-28", "2026-02-28T00:00:00+07:00", None),
        ("gt2026-02-28", "2026-03-01T00:00:00+07:00", None),
        ("lt2026-02-28", None, "2026-02-28T00:00:00+07:00"),
        ("le2026-02-28", None, "2026-03-01T00:00:00+07:00"),
        ("ge2026-02-28T08:00:00 07:00", "2026-02-28T08:00:00+07:00", None),  # a raw + of a URL
    ],
)
def test_a_date_means_its_whole_span(value: str, low: str | None, high: str | None) -> None:
    found = instant_match(value)
    asked = [("low", how, float(millis(end))) for how, end in ((">=", low), ("<", high)) if end]
    assert found == RangeMatch((tuple(asked),))


def test_ne_is_everything_outside_the_span() -> None:
    first, after = float(millis("2026-01-01T00:00:00+07:00")), float(millis("2027-01-01T00:00:00+07:00"))
    assert instant_match("ne2026") == RangeMatch(((("low", "<", first),), (("low", ">=", after),)))


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("colour", "red", "not-supported"),
        ("identifier:contains", "7", "not-supported"),
        ("identifier", "", "invalid"),
        ("identifier", "|", "invalid"),
        ("identifier", ",", "invalid"),
        ("identifier", "a\x00b", "invalid"),
        ("_lastUpdated", "yesterday", "invalid"),
        ("_lastUpdated", "2026-02-30", "invalid"),
        ("_lastUpdated", "9999", "invalid"),
        ("_count", "-1", "invalid"),
        ("_count", "many", "invalid"),
        ("_sort", "colour", "not-supported"),
        ("_summary", "most", "not-supported"),
        ("_cursor", "???", "invalid"),
        ("_cursor", "WzEsMl0", "invalid"),  # [1,2]
        ("_cursor", "WzEsIngiXQ", "invalid"),  # [1,"x"], of a search sorted by time
        ("subject", "Patient/1", "not-supported"),  # Patient has none
    ],
)
def test_what_cannot_be_searched_is_refused(name: str, value: str, code: str) -> None:
    with pytest.raises(FhirError) as caught:
        parse_search("Patient", [(name, value)])
    assert (caught.value.status, caught.value.code) == (400, code)


def test_handling_lenient_drops_what_is_unknown_and_shows_it() -> None:
    query = parse_search("Patient", [("colour", "red"), ("_id", "1")], lenient=True)
    assert query.applied == (("_id", "1"),)


@pytest.mark.parametrize(
    "condition",
    ["", "?", "_count=1", "colour=red", "Observation?identifier=1", "identifier=", "_format=json"],
)
def test_a_condition_is_never_dropped(condition: str) -> None:
    with pytest.raises(FhirError) as caught:
        parse_condition("Patient", condition, expression="x")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "condition",
    ["identifier=urn:x|a b", "?identifier=urn:x%7Ca%20b", "Patient?identifier=urn%3Ax%7Ca+b"],
)
def test_a_condition_may_be_raw_or_encoded(condition: str) -> None:
    assert parse_condition("Patient", condition).one_identifier == TokenCriterion("urn:x", "a b")


def test_reference_forms() -> None:
    base = "https://here/fhir"
    query = parse_search("Observation", [("patient", "7,Patient/8,https://here/fhir/Patient/9")], base=base)
    wanted = ("Patient/7", "Patient/8", "Patient/9")
    assert query.criteria == (Criterion(("subject",), tuple(map(ReferenceMatch, wanted))),)
    (subject,) = parse_search("Observation", [("subject", "7")]).criteria
    assert subject.matches == tuple(map(ReferenceMatch, ("Device/7", "Group/7", "Location/7", "Patient/7")))


def test_a_canonical_is_found_as_it_is_written_too() -> None:
    (found,) = parse_search("MeasureReport", [("measure", "bp-control")]).criteria
    assert found.matches == (ReferenceMatch("Measure/bp-control"), ReferenceMatch("bp-control"))


@pytest.mark.parametrize("written", ["66.899999999999991", "-1E245", "-1" + "0" * 245, "0.1", "4"])
def test_a_number_is_inside_its_own_span(written: str) -> None:
    match = number_match(written)
    assert match is not None
    (low, high), value = match.alternatives[0], float(written)
    assert low[:2] == ("low", ">=")
    assert high[:2] == ("high", "<")
    assert low[2] <= value < high[2]


def test_split_params_refuses_what_is_no_text() -> None:
    with pytest.raises(FhirError):
        parse_query_string("identifier=%ff")


def test_everything_searchable_is_indexed_whatever_the_json() -> None:
    rows = index_rows(
        {
            "resourceType": "Observation",
            "identifier": [{"system": "urn:x", "value": "1"}, {"value": "2"}, {"system": "urn:x"}, 3, None],
            "subject": {"reference": "https://here/fhir/Patient/1/_history/2"},
            "basedOn": [{"reference": "ServiceRequest/5"}, {"display": "?"}, 3],
        },
        "https://here/fhir",
    )
    assert rows == {
        IndexRow("identifier", "urn:x", "1"),
        IndexRow("identifier", "", "2"),
        IndexRow("subject", "", "Patient/1"),
        IndexRow("basedOn", "", "ServiceRequest/5"),
    }
    assert index_rows({"resourceType": "Observation", "subject": 5, "identifier": 7}, None) == set()


def test_long_values_stay_distinct_in_the_index() -> None:
    first, second = "x" * 5000 + "1", "x" * 5000 + "2"
    assert len(index_value(first)) <= 256
    assert index_value(first) != index_value(second)


def test_rewriting_touches_links_and_nothing_else() -> None:
    resource = {
        "resourceType": "DiagnosticReport",
        "text": {"status": "generated", "div": "<div><a href='urn:uuid:p'>x</a></div>"},
        "identifier": [{"system": "urn:uuid:p", "value": "urn:uuid:p"}],
        "code": {"coding": [{"system": "urn:uuid:p", "code": "1"}]},
        "subject": {"reference": "urn:uuid:p", "identifier": {"system": "urn:x", "value": "urn:uuid:p"}},
        "result": [{"reference": "Observation/2"}, {"reference": "#inside"}],
        "presentedForm": [{"url": "urn:uuid:p"}],
    }
    known = {"urn:uuid:p": "Patient/1", "https://h/fhir/Observation/2": "Observation/22"}
    done = rewrite_references(resource, "https://h/fhir/DiagnosticReport/9", known)
    assert done["subject"] == {
        "reference": "Patient/1",
        "identifier": {"system": "urn:x", "value": "urn:uuid:p"},
    }
    assert done["result"] == [{"reference": "Observation/22"}, {"reference": "#inside"}]
    assert done["text"]["div"] == "<div><a href='Patient/1'>x</a></div>"
    assert done["presentedForm"] == [{"url": "Patient/1"}]
    assert done["identifier"] == resource["identifier"]
    assert done["code"] == resource["code"]


def test_conditional_references_are_found_with_their_place() -> None:
    resource = {
        "resourceType": "Observation",
        "subject": {"reference": "Patient?identifier=urn:x|1"},
        "hasMember": [{"reference": "Observation/1"}, {"reference": "Nothing?identifier=1"}],
    }
    assert [(path, conditional_type(text)) for path, text in reference_links(resource)] == [
        (".subject.reference", "Patient"),
        (".hasMember[0].reference", None),
        (".hasMember[1].reference", None),
    ]


def test_content_ignores_what_the_server_sets_and_nothing_else() -> None:
    resource = {
        "resourceType": "Patient",
        "id": "1",
        "meta": {"versionId": "3", "lastUpdated": "x"},
        "active": True,
    }
    same = {"resourceType": "Patient", "active": True}
    tagged = {**same, "meta": {"tag": [{"code": "x"}]}}
    assert (
        ResourceContent.of(resource).digest
        == ResourceContent.of(same).digest
        != ResourceContent.of(tagged).digest
    )
    stored, body = ResourceContent.of(tagged).as_version("7", 2, 1_763_781_360_123)
    assert body == (
        b'{"resourceType":"Patient","id":"7","meta":{"versionId":"2",'
        b'"lastUpdated":"2025-11-22T03:16:00.123Z","tag":[{"code":"x"}]},"active":true}'
    )
    assert stored["meta"]["versionId"] == "2"
    assert ResourceContent.of({"resourceType": "Patient"}).as_version("7", 1, 0)[1].endswith(b"}}")


def test_new_ids_are_ids_and_sort_by_time() -> None:
    early, late = new_resource_id(1_000), new_resource_id(2_000)
    assert ID_PATTERN.fullmatch(early)
    assert early < late
    assert format_instant(0) == datetime(1970, 1, 1, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_r4_has_these_many_types() -> None:
    assert len(RESOURCE_TYPES) == 146  # 148 with the abstract Resource and DomainResource
    names = list(search_parameters("Task"))
    assert names[:6] == ["_id", "_lastUpdated", "_profile", "_security", "_source", "_tag"]
    assert {"authored-on", "based-on", "business-status", "focus", "patient", "period"} < set(names)
