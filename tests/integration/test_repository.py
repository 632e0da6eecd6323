"""The repository's interactions on a real database: http://hl7.org/fhir/R4/http.html."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from adapter.errors import FhirError
from adapter.fhir.codec import dumps, loads
from adapter.fhir.operation_outcome import Issue
from adapter.repository.bundle_entries import Interaction
from adapter.repository.history_request import HistoryPlace, HistoryRequest
from adapter.repository.interaction_errors import issues_of_error
from adapter.repository.repository import Repository
from adapter.repository.search_query import page_cursor, parse_condition, parse_search
from adapter.repository.store import VersionRow
from adapter.repository.write_plan import VersionChange
from adapter.testing import ManualClock

BASE = "https://here/fhir"
SYSTEM = "urn:x"
ME, OTHER = "bv-tinh", "bv-trung-uong"


@pytest.fixture
def repository(engine: Engine) -> Repository:
    return Repository(engine, base=BASE, clock=ManualClock(step=timedelta(seconds=1)))


def patient(value: str = "1", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}], **more}


def observation(value: str, subject: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": SYSTEM, "value": value}],
        "status": "final",
        "code": {"text": "Glucose"},
        "subject": {"reference": subject},
        **more,
    }


def entry(method: str, url: str, resource: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    full_url = more.pop("fullUrl", None)
    item: dict[str, Any] = {"request": {"method": method, "url": url, **more}}
    if full_url:
        item["fullUrl"] = full_url
    return item if resource is None else {**item, "resource": resource}


def put(resource: dict[str, Any], **more: Any) -> dict[str, Any]:
    kind, value = resource["resourceType"], resource["identifier"][0]["value"]
    return entry("PUT", f"{kind}?identifier={SYSTEM}|{value}", resource, **more)


def transaction(*entries: dict[str, Any], kind: str = "transaction") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def run(
    repository: Repository, *entries: dict[str, Any], owner: str = ME, **more: Any
) -> list[dict[str, Any]]:
    kind = more.pop("kind", "transaction")
    answer = loads(repository.bundle(owner, transaction(*entries, kind=kind), base=BASE, **more).body)
    assert answer["type"] == f"{kind}-response"
    return answer.get("entry", [])


def statuses(answers: list[dict[str, Any]]) -> list[str]:
    return [answer["response"]["status"][:3] for answer in answers]


def refused(call: Callable[[], object]) -> tuple[int, list[tuple[str, str | None]]]:
    with pytest.raises(FhirError) as caught:
        call()
    return caught.value.status, [(issue.code, issue.expression) for issue in issues_of_error(caught.value)]


# Single interactions


def test_create_read_update_delete_and_history(repository: Repository) -> None:
    made = repository.create(ME, patient(active=True))
    assert (made.status, made.version) == (201, 1)
    stored = loads(repository.read(ME, "Patient", made.id).body)
    assert stored["id"] == made.id
    assert stored["meta"]["versionId"] == "1"

    changed = repository.update(ME, {**patient(active=False), "id": made.id}, if_match=1)
    assert (changed.status, changed.version) == (200, 2)
    again = repository.update(ME, {**patient(active=False), "id": made.id})
    assert (again.status, again.version) == (200, 2), "the same content makes no version"
    assert again.body == changed.body

    assert repository.delete(ME, "Patient", made.id).version == 3
    assert repository.delete(ME, "Patient", made.id).version == 0
    assert refused(lambda: repository.read(ME, "Patient", made.id))[0] == 410
    assert refused(lambda: repository.vread(ME, "Patient", made.id, "3"))[0] == 410
    assert loads(repository.vread(ME, "Patient", made.id, "1").body)["active"] is True
    for wrong in ("4", "0", "x", "9" * 30):
        assert refused(lambda number=wrong: repository.vread(ME, "Patient", made.id, number))[0] == 404

    back = repository.update(ME, {**patient(active=True), "id": made.id})
    assert (back.status, back.version) == (201, 4)
    page = repository.history(ME, HistoryRequest("Patient", made.id, 2))
    assert ([row.version for row in page.rows], page.total, page.more) == ([4, 3], 4, True)
    third = HistoryPlace(0, "Patient", made.id, 3)
    page = repository.history(ME, HistoryRequest("Patient", made.id, 2, after=third))
    assert ([row.version for row in page.rows], page.more) == ([2, 1], False)


def test_the_history_of_a_type_and_of_all_is_ones_own_and_pages_hold_each_version_once(
    engine: Engine,
) -> None:
    moments = iter(range(10**6))
    repository = Repository(engine, clock=lambda: datetime.fromtimestamp(next(moments) // 4, UTC))
    written = []
    for round_ in range(3):  # four writes share an instant, also of one resource and of two types
        for name in ("b", "a"):
            one = repository.update(ME, {**patient(active=bool(round_ % 2)), "id": name})
            written.append((one.type, one.id, one.version))
            one = repository.update(ME, {**observation(str(round_), f"Patient/{name}"), "id": name})
            written.append((one.type, one.id, one.version))
    gone = repository.delete(ME, "Patient", "b")
    written.append(("Patient", "b", gone.version))
    repository.create("another", patient("secret"))

    def pages(kind: str | None, count: int) -> list[VersionRow]:
        found: list[VersionRow] = []
        query = HistoryRequest(kind, count=count)
        while True:
            page = repository.history(ME, query)
            found += page.rows
            assert len(page.rows) <= count
            if not page.more:
                return found
            last = page.rows[-1]
            query = replace(query, after=HistoryPlace(last.updated, last.type, last.id, last.version))
            repository.create("another", patient())

    for count in (1, 2, 3, 100):
        rows = pages(None, count)
        assert sorted((row.type, row.id, row.version) for row in rows) == sorted(written)
        assert [row.updated for row in rows] == sorted((row.updated for row in rows), reverse=True)
        assert [row for row in rows if row.type == "Patient"] == pages("Patient", count)
        for kind, id_ in {(row.type, row.id) for row in rows}:
            versions = [row.version for row in rows if (row.type, row.id) == (kind, id_)]
            assert versions == sorted(versions, reverse=True), "newest first"
    late = repository.history(ME, HistoryRequest("Observation", since=2000)).rows
    assert late
    assert {row.updated >= 2000 for row in late} == {True}
    assert repository.history(ME, HistoryRequest("Task")).rows == ()
    assert repository.history("nobody", HistoryRequest()).rows == ()


def test_a_decimal_keeps_its_digits(repository: Repository) -> None:
    made = repository.create(ME, observation("1", "Patient/1", valueQuantity={"value": Decimal("5.30")}))
    assert b'"value":5.30}' in repository.read(ME, "Observation", made.id).body


def test_nobody_sees_or_changes_what_another_sent(repository: Repository) -> None:
    made = repository.create(ME, patient())
    assert refused(lambda: repository.read(OTHER, "Patient", made.id))[0] == 404
    assert repository.search(OTHER, parse_search("Patient", [])).total == 0
    assert repository.update(OTHER, {**patient("2"), "id": made.id}).status == 201
    condition = parse_condition("Patient", f"identifier={SYSTEM}|1")
    assert repository.create(OTHER, patient(), if_none_exist=condition).status == 201
    assert loads(repository.read(ME, "Patient", made.id).body)["identifier"][0]["value"] == "1"


def test_if_match(repository: Repository) -> None:
    made = repository.create(ME, patient())
    body = {**patient(active=True), "id": made.id}
    assert refused(lambda: repository.update(ME, body, if_match=2)) == (412, [("conflict", "http.If-Match")])
    assert refused(lambda: repository.delete(ME, "Patient", made.id, if_match=2))[0] == 412
    assert repository.update(ME, body, if_match=-1).version == 2
    absent = {**patient("2"), "id": "absent"}
    assert refused(lambda: repository.update(ME, absent, if_match=1))[0] == 412
    assert refused(lambda: repository.update(ME, absent, if_match=-1))[0] == 412
    assert refused(lambda: repository.update(ME, body, if_none_match="*"))[0] == 412
    assert repository.update(ME, absent, if_none_match="*").status == 201


def test_conditional_create(repository: Repository) -> None:
    condition = parse_condition("Patient", f"identifier={SYSTEM}|1")
    first = repository.create(ME, patient(), if_none_exist=condition)
    second = repository.create(ME, patient(active=True), if_none_exist=condition)
    assert (first.status, second.status, second.id, second.version) == (201, 200, first.id, 1)
    assert second.body == first.body
    repository.create(ME, patient())
    assert refused(lambda: repository.create(ME, patient(), if_none_exist=condition))[0] == 412


def test_conditional_update(repository: Repository) -> None:
    condition = parse_condition("Patient", f"identifier={SYSTEM}|1")
    first = repository.conditional_update(ME, condition, patient())
    second = repository.conditional_update(ME, condition, patient(active=True))
    assert (first.status, second.status, second.id, second.version) == (201, 200, first.id, 2)
    with_id = {**patient(active=False), "id": first.id}
    assert repository.conditional_update(ME, condition, with_id).version == 3
    other_id = {**patient(), "id": "other"}
    assert refused(lambda: repository.conditional_update(ME, condition, other_id))[0] == 400
    stale = refused(lambda: repository.conditional_update(ME, condition, patient(), if_match=1))
    assert stale[0] == 412
    nothing = parse_condition("Patient", f"identifier={SYSTEM}|9")
    assert (
        refused(lambda: repository.conditional_update(ME, nothing, {**patient("9"), "id": first.id}))[0]
        == 409
    )
    mine = repository.conditional_update(ME, nothing, {**patient("9"), "id": "mine"})
    assert (mine.status, mine.id) == (201, "mine")
    repository.create(ME, patient())
    assert refused(lambda: repository.conditional_update(ME, condition, patient()))[0] == 412


def test_conditional_delete(repository: Repository) -> None:
    condition = parse_condition("Patient", f"identifier={SYSTEM}|1")
    assert repository.conditional_delete(ME, condition).status == 204
    made = repository.create(ME, patient())
    assert repository.conditional_delete(ME, condition).version == 2
    assert refused(lambda: repository.read(ME, "Patient", made.id))[0] == 410


def test_what_is_not_accepted_or_not_valid_is_refused(engine: Engine) -> None:
    def validate(resource: dict[str, Any]) -> list[Issue]:
        wrong = Issue("error", "required", "status is missing", f"{resource['resourceType']}.status")
        return [] if "status" in resource else [wrong, Issue("warning", "value", "odd")]

    strict = Repository(engine, accepts=frozenset({"Observation"}), deletes=False, validate=validate)
    assert refused(lambda: strict.create(ME, patient())) == (422, [("not-supported", "Patient")])
    bare = {"resourceType": "Observation"}
    assert refused(lambda: strict.create(ME, bare)) == (400, [("required", "Observation.status")])
    assert refused(lambda: strict.delete(ME, "Observation", "1"))[0] == 405
    status, issues = refused(
        lambda: run(strict, entry("POST", "Observation", bare), entry("POST", "Patient", patient()))
    )
    assert status == 400
    assert issues == [
        ("required", "Bundle.entry[0].resource.status"),
        ("not-supported", "Bundle.entry[1].request.url"),
    ]


# Search


def found(repository: Repository, kind: str, *params: tuple[str, str]) -> list[str]:
    return [row.id for row in repository.search(ME, parse_search(kind, params, base=BASE)).rows]


def test_search_by_each_parameter(repository: Repository) -> None:
    one = repository.create(
        ME, {**patient("1"), "identifier": [{"system": SYSTEM, "value": "1"}, {"value": "A"}]}
    )
    two = repository.create(ME, patient("2"))
    seen = repository.create(
        ME, observation("7", f"{BASE}/Patient/{one.id}", basedOn=[{"reference": "ServiceRequest/5"}])
    )
    repository.create(ME, observation("8", "Group/1"))
    assert found(repository, "Patient", ("_id", f"{two.id},nobody")) == [two.id]
    assert found(repository, "Patient", ("identifier", f"{SYSTEM}|1")) == [one.id]
    assert found(repository, "Patient", ("identifier", "A")) == [one.id]
    assert found(repository, "Patient", ("identifier", "|A")) == [one.id]
    assert found(repository, "Patient", ("identifier", "|1")) == []
    assert found(repository, "Patient", ("identifier", f"{SYSTEM}|")) == [one.id, two.id]
    assert found(repository, "Patient", ("identifier", f"{SYSTEM}|1"), ("identifier", "A")) == [one.id]
    assert found(repository, "Patient", ("identifier", f"{SYSTEM}|1"), ("identifier", "B")) == []
    for name in ("subject", "patient", "subject:Patient"):
        for value in (one.id, f"Patient/{one.id}", f"{BASE}/Patient/{one.id}"):
            assert found(repository, "Observation", (name, value)) == [seen.id]
    assert found(repository, "Observation", ("patient", "1")) == []
    assert found(repository, "Observation", ("based-on", "ServiceRequest/5")) == [seen.id]
    assert found(repository, "Observation", ("based-on", "5")) == [seen.id]


def test_search_by_last_updated(repository: Repository) -> None:
    first, second = repository.create(ME, patient("1")), repository.create(ME, patient("2"))
    stamp = loads(repository.read(ME, "Patient", second.id).body)["meta"]["lastUpdated"]
    assert found(repository, "Patient", ("_lastUpdated", f"ge{stamp}")) == [second.id]
    assert found(repository, "Patient", ("_lastUpdated", f"gt{stamp}")) == []
    assert found(repository, "Patient", ("_lastUpdated", f"lt{stamp}")) == [first.id]
    assert found(repository, "Patient", ("_lastUpdated", stamp)) == [second.id]
    assert found(repository, "Patient", ("_lastUpdated", f"ne{stamp}")) == [first.id]
    assert found(repository, "Patient", ("_sort", "-_lastUpdated")) == [second.id, first.id]


@pytest.mark.parametrize("sort", ["_id", "_lastUpdated", "-_lastUpdated", "-identifier,birthdate"])
def test_pages_neither_repeat_nor_miss_what_stays(repository: Repository, sort: str) -> None:
    ids = {repository.create(ME, patient(str(n % 4))).id for n in range(7)}
    params = [("_count", "3"), ("_sort", sort)]
    seen: list[str] = []
    query = parse_search("Patient", params)
    while True:
        page = repository.search(ME, query)
        seen += [row.id for row in page.rows]
        if not page.more:
            break
        repository.create(ME, patient("new"))
        repository.delete(ME, "Patient", page.rows[0].id)
        assert page.place
        query = parse_search("Patient", [*params, ("_cursor", page_cursor(page.place))])
    assert len(seen) == len(set(seen))
    assert ids <= set(seen)


def test_an_updated_resource_is_found_by_its_new_values_only(repository: Repository) -> None:
    made = repository.create(ME, patient("1"))
    repository.update(ME, {**patient("2"), "id": made.id})
    assert found(repository, "Patient", ("identifier", "1")) == []
    assert found(repository, "Patient", ("identifier", "2")) == [made.id]
    repository.delete(ME, "Patient", made.id)
    assert found(repository, "Patient", ("identifier", "2")) == []


# Transactions


def test_a_transaction_links_its_entries_and_answers_in_order(repository: Repository) -> None:
    gone = repository.create(ME, patient("gone"))
    answers = run(
        repository,
        entry("GET", "Observation?identifier=7"),
        entry(
            "POST",
            "DiagnosticReport",
            {
                "resourceType": "DiagnosticReport",
                "status": "final",
                "code": {"text": "x"},
                "result": [{"reference": "urn:uuid:o"}],
                "subject": {"reference": f"Patient?identifier={SYSTEM}|p"},
            },
        ),
        entry("POST", "Observation", observation("7", "urn:uuid:p"), fullUrl="urn:uuid:o"),
        put(patient("p"), fullUrl="urn:uuid:p"),
        entry("DELETE", f"Patient/{gone.id}"),
    )
    assert statuses(answers) == ["200", "201", "201", "201", "204"]
    assert answers[0]["resource"]["total"] == 1, "GET is processed last"
    kinds = [answer["response"].get("location", "").split("/")[0] for answer in answers]
    assert kinds == ["", "DiagnosticReport", "Observation", "Patient", ""]
    observation_id, patient_id = (answers[n]["response"]["location"].split("/")[1] for n in (2, 3))
    report_id = answers[1]["response"]["location"].split("/")[1]
    report = loads(repository.read(ME, "DiagnosticReport", report_id).body)
    assert report["result"] == [{"reference": f"Observation/{observation_id}"}]
    assert report["subject"] == {"reference": f"Patient/{patient_id}"}
    assert answers[3]["response"]["etag"] == 'W/"1"'
    assert refused(lambda: repository.read(ME, "Patient", gone.id))[0] == 410


def test_a_transaction_with_one_bad_entry_leaves_nothing(repository: Repository) -> None:
    repository.create(ME, patient("twice"))
    repository.create(ME, patient("twice"))
    for bad, status, where in [
        (put(patient("twice")), 412, "Bundle.entry[1].request.url"),
        (put(observation("7", f"Patient?identifier={SYSTEM}|nobody")), 412,
         "Bundle.entry[1].resource.subject.reference"),
        (put(observation("7", f"Patient?identifier={SYSTEM}|twice")), 412,
         "Bundle.entry[1].resource.subject.reference"),
        (put(observation("7", "urn:uuid:nobody")), 400, "Bundle.entry[1].resource.subject.reference"),
        (put(patient("p")), 400, "Bundle.entry[1].request.url"),
        (put(patient("q"), ifMatch='W/"3"'), 412, "Bundle.entry[1].request.ifMatch"),
        (entry("GET", "Patient/nobody"), 404, "Bundle.entry[1].request.url"),
        (entry("GET", "Patient?colour=red"), 400, "Bundle.entry[1].request.url"),
        (entry("PUT", "Patient/1", patient()), 400, "Bundle.entry[1].resource.id"),
        (entry("PUT", "Patient/1", {**patient(), "id": "2"}), 400, "Bundle.entry[1].resource.id"),
        (entry("PUT", "Patient", patient()), 400, "Bundle.entry[1].request.url"),
        (entry("POST", "Patient/1", patient()), 400, "Bundle.entry[1].request.url"),
        (entry("POST", "Patient", {"resourceType": "Observation"}), 400, "Bundle.entry[1].resource"),
        (entry("POST", "Patient", {}), 400, "Bundle.entry[1].resource"),
        (entry("POST", "Patient"), 400, "Bundle.entry[1].resource"),
        (entry("POST", "Nothing", {"resourceType": "Nothing"}), 400, "Bundle.entry[1].request.url"),
        (entry("POST", "Patient", patient(), ifNoneExist="colour=red"), 400,
         "Bundle.entry[1].request.ifNoneExist"),
        (entry("PATCH", "Patient/1", patient()), 422, "Bundle.entry[1].resource"),
        (entry("FETCH", "Patient/1"), 400, "Bundle.entry[1].request.method"),
        (entry("PUT", "https://elsewhere/fhir/Patient/1", {**patient(), "id": "1"}), 400,
         "Bundle.entry[1].request.url"),
        ({"resource": patient()}, 400, "Bundle.entry[1].request"),
        ("entry", 400, "Bundle.entry[1]"),
        (None, 400, "Bundle.entry[1]"),
        (put(patient("q"), fullUrl="urn:uuid:first"), 400, "Bundle.entry[1].fullUrl"),
    ]:  # fmt: skip
        first = put(patient("p"), fullUrl="urn:uuid:first")
        got, issues = refused(lambda a=first, b=bad: run(repository, a, b))
        assert (got, issues[0][1]) == (status, where), bad
        assert found(repository, "Patient", ("identifier", "p")) == []


def test_the_same_transaction_again_changes_nothing(repository: Repository) -> None:
    entries = [put(patient("p"), fullUrl="urn:uuid:p"), put(observation("7", "urn:uuid:p"))]
    first, second = run(repository, *entries), run(repository, *entries)
    assert statuses(first) == ["201", "201"]
    assert statuses(second) == ["200", "200"]
    assert [a["response"]["etag"] for a in second] == ['W/"1"', 'W/"1"']
    assert [a["response"]["location"] for a in second] == [a["response"]["location"] for a in first]
    assert repository.counts(ME) == {"Patient": 1, "Observation": 1}


def test_one_identity_may_stand_in_a_transaction_once(repository: Repository) -> None:
    made = repository.create(ME, patient("1"))
    same = entry("PUT", f"Patient/{made.id}", {**patient("1"), "id": made.id})
    status, issues = refused(lambda: run(repository, put(patient("1")), same))
    assert (status, issues) == (400, [("duplicate", "Bundle.entry[1].request.url")])
    by_post = entry("POST", "Patient", patient("2"), ifNoneExist=f"identifier={SYSTEM}|2")
    assert refused(lambda: run(repository, by_post, put(patient("2"))))[0] == 400
    # A conditional create that finds its resource writes nothing, so nothing overlaps.
    known = entry("POST", "Patient", patient("1"), ifNoneExist=f"identifier={SYSTEM}|1")
    assert statuses(run(repository, known, same)) == ["200", "200"]


def test_relative_references_follow_the_full_url(repository: Repository) -> None:
    there = "https://hospital/fhir"
    answers = run(
        repository,
        entry("POST", "Patient", patient("p"), fullUrl=f"{there}/Patient/5"),
        entry("POST", "Observation", observation("7", "Patient/5"), fullUrl=f"{there}/Observation/1"),
        entry("POST", "Observation", observation("8", "Patient/5"), fullUrl="urn:uuid:alone"),
    )
    patient_id, inside, outside = (answer["response"]["location"].split("/")[1] for answer in answers)
    read = {n: loads(repository.read(ME, "Observation", n).body)["subject"] for n in (inside, outside)}
    assert read == {inside: {"reference": f"Patient/{patient_id}"}, outside: {"reference": "Patient/5"}}


def test_representation_and_get_inside_a_bundle(repository: Repository) -> None:
    made = repository.create(ME, patient("1"))
    answers = run(
        repository,
        put(patient("1")),
        entry("GET", f"Patient/{made.id}"),
        entry("GET", f"Patient/{made.id}/_history/1"),
        entry("GET", f"Patient/{made.id}/_history"),
        entry("GET", f"Patient/{made.id}", ifNoneMatch='W/"1"'),
        entry("HEAD", f"Patient/{made.id}"),
        representation=True,
    )
    assert statuses(answers) == ["200", "200", "200", "200", "304", "200"]
    assert [a.get("resource", {}).get("resourceType") for a in answers] == [
        "Patient", "Patient", "Patient", "Bundle", None, None,
    ]  # fmt: skip
    assert answers[0]["fullUrl"] == f"{BASE}/Patient/{made.id}"


def test_a_batch_does_each_entry_for_itself(repository: Repository) -> None:
    answers = run(
        repository,
        entry("POST", "Patient", patient("1")),
        entry("POST", "Patient"),
        entry("GET", "Patient/nobody"),
        put(patient("1", active=True)),
        "nonsense",  # type: ignore[arg-type]  # on purpose
        kind="batch",
    )
    assert statuses(answers) == ["201", "400", "404", "200", "400"]
    issue = answers[1]["response"]["outcome"]["issue"][0]
    assert issue["expression"] == ["Bundle.entry[1].resource"]
    assert repository.counts(ME) == {"Patient": 1}


@pytest.mark.parametrize("kind", ["collection", "message", None, 5])
def test_other_bundles_are_not_processed(repository: Repository, kind: Any) -> None:
    bundle = {"resourceType": "Bundle", "type": kind, "entry": []}
    assert refused(lambda: repository.bundle(ME, bundle, base=BASE)) == (400, [("value", "Bundle.type")])


def test_a_reference_by_an_identifier_of_the_other_side_stays_as_it_is(engine: Engine) -> None:
    repository = Repository(engine, own_system="urn:ours")
    report = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"}}
    for reference in ("ServiceRequest?identifier=urn:ours|7", "ServiceRequest?identifier=urn%3Aours%7C7"):
        made = repository.create(ME, {**report, "basedOn": [{"reference": reference}]})
        body = loads(repository.read(ME, "DiagnosticReport", made.id).body)
        assert body["basedOn"] == [{"reference": reference}]
    for reference in ("ServiceRequest?identifier=urn:other|7", "ServiceRequest?identifier=7"):
        status, _ = refused(
            lambda to=reference: repository.create(ME, {**report, "basedOn": [{"reference": to}]})
        )
        assert status == 412


def test_an_empty_transaction_is_answered(repository: Repository) -> None:
    assert run(repository) == []


# Repeats and changes


@pytest.fixture
def told(engine: Engine) -> tuple[Repository, list[VersionChange]]:
    changes: list[VersionChange] = []
    repository = Repository(
        engine,
        recognise_repeats=True,
        on_changes=lambda _, told: changes.extend(told),
        clock=ManualClock(step=timedelta(seconds=1)),
    )
    return repository, changes


def test_a_repeated_post_makes_nothing_new(told: tuple[Repository, list[VersionChange]]) -> None:
    repository, changes = told
    first = repository.create(ME, observation("7", "Patient/1"))
    second = repository.create(ME, {**observation("7", "Patient/1"), "id": "theirs"})
    assert (first.status, second.status, second.id, second.repeated) == (201, 200, first.id, True)
    assert second.body == first.body
    assert repository.create(OTHER, observation("7", "Patient/1")).status == 201, "another hospital's own"
    assert repository.create(ME, observation("7", "Patient/2")).status == 201
    corrected = {**observation("7", "Patient/1"), "id": first.id, "status": "corrected"}
    assert repository.update(ME, corrected).version == 2
    late = repository.create(ME, observation("7", "Patient/1"))
    assert (late.status, late.version) == (200, 2), "a late repeat of the older content undoes nothing"
    assert [(change.action, change.version) for change in changes if change.id == first.id] == [
        ("create", 1),
        ("update", 2),
    ]


def test_a_repeated_bundle_is_known_even_with_new_uuids(told: tuple[Repository, list[VersionChange]]) -> None:
    repository, changes = told

    def deliver(tag: str) -> list[dict[str, Any]]:
        report = {
            "resourceType": "DiagnosticReport",
            "status": "final",
            "code": {"text": "x"},
            "result": [{"reference": f"urn:uuid:{tag}-1"}, {"reference": f"urn:uuid:{tag}-2"}],
        }
        return run(
            repository,
            entry("POST", "DiagnosticReport", report, fullUrl=f"urn:uuid:{tag}-0"),
            entry("POST", "Observation", observation("7", "Patient/1"), fullUrl=f"urn:uuid:{tag}-1"),
            entry("POST", "Observation", observation("8", "Patient/1"), fullUrl=f"urn:uuid:{tag}-2"),
        )

    first, second = deliver("a"), deliver("b")
    assert statuses(first) == ["201", "201", "201"]
    assert statuses(second) == ["200", "200", "200"]
    assert [a["response"]["location"] for a in first] == [a["response"]["location"] for a in second]
    assert len(changes) == 3
    assert sorted(change.entry for change in changes if change.entry is not None) == [0, 1, 2]


def test_what_on_changes_raises_undoes_everything(engine: Engine) -> None:
    def full(_: Connection, changes: Sequence[VersionChange]) -> None:
        assert [change.type for change in changes] == ["Patient", "Observation"]
        raise OSError("disk full")

    repository = Repository(engine, on_changes=full)
    entries = [put(patient("p"), fullUrl="urn:uuid:p"), put(observation("7", "urn:uuid:p"))]
    with pytest.raises(OSError, match="disk full"):
        run(repository, *entries)
    assert repository.counts(ME) == {}


def test_changes_are_told_in_fhirs_order(told: tuple[Repository, list[VersionChange]]) -> None:
    repository, changes = told
    gone = repository.create(ME, patient("gone"))
    changes.clear()
    run(
        repository,
        put(patient("p")),
        entry("POST", "Observation", observation("7", "Patient/1")),
        entry("DELETE", f"Patient/{gone.id}"),
    )
    assert [(change.action, change.type) for change in changes] == [
        ("delete", "Patient"),
        ("create", "Observation"),
        ("create", "Patient"),
    ]
    created = changes[1]
    assert created.resource["id"] == created.id
    assert dumps(created.resource) == created.body


def test_simultaneous_conditional_writes_make_no_duplicate(engine: Engine) -> None:
    from concurrent.futures import ThreadPoolExecutor

    repository = Repository(engine)
    condition = parse_condition("Patient", f"identifier={SYSTEM}|1")

    def write(_: int) -> int:
        return repository.perform(
            ME, Interaction("PUT", "Patient", condition=condition, resource=patient())
        ).status

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(write, range(16)))
    assert answers == [200] * 15 + [201]
    assert repository.counts(ME) == {"Patient": 1}
