"""A result is never stale: what a later version is recognised by, and which of two versions holds."""

from typing import Any

import pytest
from inbox_centre import OURS, Centre
from sqlalchemy import Engine

from adapter.errors import UsageError
from adapter.records.model import Fulfilment, Result

LOINC = {"system": "http://loinc.org", "code": "11526-1"}
LOCAL = {"system": "urn:lis:code", "code": "GPB", "display": "Giải phẫu bệnh"}
MORE = {"system": "http://snomed.info/sct", "code": "108257001"}
NUMBER = {"system": "urn:lis:report", "value": "17"}
ACCESSION = {"system": "urn:lis:accession", "value": "A-9"}
SUBJECT = {"identifier": {"system": OURS, "value": "idan"}}
NINE, TWELVE = "2026-11-01T09:00:00+07:00", "2026-11-01T12:00:00+07:00"


@pytest.fixture
def centre(engine: Engine) -> Centre:
    return Centre(engine)


def report(status: str = "final", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [NUMBER, ACCESSION],
        "status": status,
        "code": {"coding": [LOINC, LOCAL], "text": "Giải phẫu bệnh"},
        "subject": SUBJECT,
        "basedOn": [{"identifier": {"system": OURS, "value": "idref1"}}],
        "issued": NINE,
        "conclusion": "Carcinoma",
        **more,
    }


def value(said: str, status: str = "final", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [ACCESSION],
        "status": status,
        "code": {"coding": [{"system": "http://loinc.org", "code": "67151-1"}]},
        "subject": SUBJECT,
        "conclusion": said,  # what these records keep of a body
        **more,
    }


def held(centre: Centre) -> list[tuple[str, str | None]]:
    return sorted((one.status, one.conclusion) for one in centre.results() if isinstance(one, Result))


# -- what is the same result ---------------------------------------------------------------

RESPELT: list[dict[str, Any]] = [
    {"identifier": [ACCESSION, NUMBER]},
    {"identifier": [ACCESSION]},
    {"identifier": [{"system": "urn:new", "value": "1"}, NUMBER]},
    {"identifier": [{**NUMBER, "use": "official", "assigner": {"display": "LIS"}}]},
    {"code": {"coding": [LOCAL, LOINC], "text": "Giải phẫu bệnh"}},
    {"code": {"coding": [{**LOCAL, "display": "GIAI PHAU BENH"}]}},
    {"code": {"coding": [MORE, LOINC]}},
    {"code": {"coding": [LOINC], "text": "Pathology report"}},
    {"identifier": [ACCESSION], "code": {"coding": [MORE, LOCAL], "text": "?"}},
]


@pytest.mark.parametrize("more", RESPELT)
@pytest.mark.parametrize("status", ["entered-in-error", "corrected", "amended"])
def test_a_correction_is_known_however_it_is_spelt(centre: Centre, more: dict[str, Any], status: str) -> None:
    centre.send(report(), "r1")
    item = centre.send(report(status, conclusion="Không u", **more), "r2")
    assert item.state == "applied"
    assert held(centre) == [(status, "Không u")]
    withdrawn = status == "entered-in-error"
    assert centre.referral("GT-1").fulfilment is (Fulfilment.NONE if withdrawn else Fulfilment.COMPLETED)


@pytest.mark.parametrize(
    "more",
    [
        {"code": {"text": "-"}},
        {"code": {"coding": [MORE]}},
        {"identifier": [{"system": "urn:new", "value": "1"}]},
        {"identifier": []},
        {"identifier": [{"value": "17"}]},
        {"identifier": [{"system": "urn:lis:report", "value": "18"}]},
    ],
)
@pytest.mark.parametrize("status", ["entered-in-error", "corrected", "amended"])
def test_what_is_less_certain_waits(centre: Centre, more: dict[str, Any], status: str) -> None:
    """Today's tumour stays, but a person is told, and can say what is corrected."""
    first = centre.send(report(), "r1")
    item = centre.send(report(status, conclusion="Không u", **more), "r2")
    assert item.state == "unmatched"
    assert item.reasons == ("withdraws-unknown" if status == "entered-in-error" else "corrects-unknown",)
    assert [one.cadre for one in item.candidates] == ["CB-1"]
    assert held(centre) == [("final", "Carcinoma")]
    assert centre.process(again=True) == {"unmatched": 1}
    assert centre.link(item.id, "CB-1", replaces=first.id) == "linked"
    assert held(centre) == [(status, "Không u")]
    again = centre.send(report("amended", conclusion="U lành", issued=TWELVE, **more), "r2")
    if status == "entered-in-error":
        assert again.reasons == ("was-withdrawn",)
    else:
        assert (again.state, held(centre)) == ("applied", [("amended", "U lành")])


@pytest.mark.parametrize("more", [{"code": {"text": "-"}}, {"identifier": []}, {"code": {"coding": [MORE]}}])
def test_the_same_url_is_the_same_result(centre: Centre, more: dict[str, Any]) -> None:
    centre.send(report(), "r1")
    assert centre.send(report("entered-in-error", conclusion="x", **more), "r1").state == "applied"
    assert held(centre) == [("entered-in-error", "x")]


def test_a_correction_of_what_never_came_is_taken(centre: Centre) -> None:
    assert centre.send(report("corrected"), "r1").state == "applied"
    other = report("corrected", identifier=[{"system": "urn:o", "value": "2"}], code={"text": "Siêu âm"})
    assert centre.send(other, "r2").state == "applied"


def test_a_correction_of_another_days_value_is_taken(centre: Centre) -> None:
    centre.send(value("12", effectiveDateTime=NINE), "o1")
    other = value("13", "corrected", identifier=[NUMBER], effectiveDateTime=TWELVE)
    assert centre.send(other, "o2").state == "applied"


def test_a_link_as_a_version_of_something_else_is_refused(centre: Centre) -> None:
    first = centre.send(value("12"), "o1")
    item = centre.send(report("entered-in-error"), "r2")
    same = centre.send(value("12", "entered-in-error", identifier=[]), "o2")
    for number, cadre in ((item.id, "CB-1"), (same.id, "CB-2")):
        with pytest.raises(UsageError) as raised:
            centre.link(number, cadre, replaces=first.id, despite=True)
        assert raised.value.text == "inbox.no_version"


# -- what is another result ----------------------------------------------------------------


@pytest.mark.parametrize("moments", [(NINE, NINE), (NINE, TWELVE), (None, None)])
def test_two_under_one_number_and_code_in_one_delivery_are_two(
    centre: Centre, moments: tuple[str | None, str | None]
) -> None:
    for number, moment in enumerate(moments):
        more = {"effectiveDateTime": moment} if moment else {}
        centre.receive(value(f"isolate {number}", **more), f"o{number}", delivery="one")
    assert centre.process() == {"applied": 2}
    assert [said for _, said in held(centre)] == ["isolate 0", "isolate 1"]
    # each is corrected by its URL; a third time neither is the other
    centre.send(value("isolate 0, E. coli", "corrected"), "o0")
    assert [said for _, said in held(centre)] == ["isolate 0, E. coli", "isolate 1"]
    late = centre.send(value("which?", "corrected"), "o9")
    assert (late.state, late.reasons) == ("unmatched", ("several-versions",))


def test_a_correction_of_one_of_two_is_known_by_its_time(centre: Centre) -> None:
    centre.receive(value("12", effectiveDateTime=NINE), "o0", delivery="one")
    centre.receive(value("250", effectiveDateTime=TWELVE), "o1", delivery="one")
    centre.process()
    assert centre.send(value("255", "corrected", effectiveDateTime=TWELVE), "o2").state == "applied"
    assert held(centre) == [("corrected", "255"), ("final", "12")]


def test_another_time_in_another_delivery_is_for_a_person(centre: Centre) -> None:
    first = centre.send(value("12", effectiveDateTime=NINE), "o0")
    later = centre.send(value("250", effectiveDateTime=TWELVE), "o1")
    assert later.reasons == ("other-time",)
    assert centre.link(later.id, "CB-1") == "linked"
    assert [said for _, said in held(centre)] == ["12", "250"]
    assert centre.item(first.id).state == "applied"


def test_a_delivery_sent_again_adds_nothing(centre: Centre) -> None:
    for delivery in ("one", "two"):
        for number, said in enumerate(("a", "b")):
            centre.receive(value(said), f"{delivery}{number}", delivery=delivery)
        centre.process()
    assert [said for _, said in held(centre)] == ["a", "b"]
    assert centre.inbox.unseen() == []


@pytest.mark.parametrize("status", ["preliminary", "registered", "partial"])
def test_a_final_one_with_another_time_follows_its_preliminary(centre: Centre, status: str) -> None:
    centre.send(value("?", status, effectiveDateTime=NINE), "o0")
    assert centre.send(value("12", effectiveDateTime=TWELVE), "o1").state == "applied"
    assert held(centre) == [("final", "12")]


# -- which version holds -------------------------------------------------------------------


@pytest.mark.parametrize("id_", ["r1", "r2"])
@pytest.mark.parametrize("late", [0, 1, 2])
def test_a_late_repeat_of_any_earlier_version_changes_nothing(centre: Centre, id_: str, late: int) -> None:
    versions = [
        report("preliminary", conclusion="?"),
        report(conclusion="A", issued=None),
        report("corrected", conclusion="B", issued=None),
        report("entered-in-error", conclusion="C", issued=None),
    ]
    for one in versions:
        centre.send(one, "r1")
    item = centre.send({**versions[late], "id": id_}, id_)
    assert (item.state, item.reasons) == ("ignored", ("repeated-version",))
    assert held(centre) == [("entered-in-error", "C")]
    assert [one.id for one in centre.inbox.unseen()] == [item.id]
    assert centre.see(item.id) is None
    assert centre.inbox.unseen() == []
    with pytest.raises(UsageError):
        centre.see(item.id)


def test_a_late_repeat_without_any_number_changes_nothing(centre: Centre) -> None:
    plain = report(identifier=[], issued=None)
    for one in (plain, {**plain, "conclusion": "B"}):
        centre.send(one, "r1")
    assert centre.send(plain, "r2").reasons == ("repeated-version",)
    assert held(centre) == [("final", "B")]


def test_the_newest_once_more_is_shown_to_nobody(centre: Centre) -> None:
    centre.send(report(), "r1")
    respelt = report(
        identifier=[ACCESSION, NUMBER], code={"coding": [LOCAL, LOINC], "text": "Giải phẫu bệnh"}
    )
    for id_ in ("r1", "r2"):
        centre.send(respelt, id_)
    assert centre.inbox.unseen() == []
    assert held(centre) == [("final", "Carcinoma")]
    centre.send(report("corrected", identifier=[], conclusion="B"), "r2")  # its URL was kept
    assert held(centre) == [("corrected", "B")]


YEAR_1, FUTURE = "0001-01-01T00:00:00Z", "2062-11-02T09:40:00+07:00"


@pytest.mark.parametrize("status", ["corrected", "amended", "entered-in-error"])
@pytest.mark.parametrize("first", [NINE, FUTURE, YEAR_1, None, "2026-11-01"])
@pytest.mark.parametrize(
    "then",
    [
        None,
        "2026-11-01T08:59:00+07:00",
        "2026-11-01T08:00:00+07:00",
        YEAR_1,
        "0001-01-01T00:00:00+07:00",
        FUTURE,
        "9999-12-31T23:59:59-12:00",
        "2026-11-01T09:00:60+07:00",
    ],
)
def test_a_correction_never_loses_to_a_clock(
    centre: Centre, status: str, first: str | None, then: str | None
) -> None:
    centre.send(report(issued=first), "r1")
    assert centre.send(report(status, issued=then, conclusion="Không u"), "r1").state == "applied"
    assert held(centre) == [(status, "Không u")]
    late = centre.send(report(issued=first, conclusion="late"), "r1")
    assert (late.state, late.reasons) == ("ignored", ("older-status",))


def test_a_time_after_the_receipt_counts_as_the_receipt(centre: Centre) -> None:
    centre.send(report(issued=FUTURE), "r1")
    [stored] = centre.results()
    assert stored.issued_at is not None
    assert stored.issued_at.year == 2026


@pytest.mark.parametrize(
    ("first", "second", "state", "reason"),
    [
        (("final", NINE), ("final", TWELVE), "applied", ()),
        (("final", TWELVE), ("final", NINE), "ignored", ("older-issue",)),
        (("final", None), ("final", NINE), "applied", ()),
        (("final", NINE), ("preliminary", TWELVE), "ignored", ("older-status",)),
        (("corrected", NINE), ("final", TWELVE), "unmatched", ("was-corrected",)),
        (("amended", NINE), ("final", FUTURE), "unmatched", ("was-corrected",)),
        (("cancelled", NINE), ("final", TWELVE), "applied", ()),
        (("corrected", NINE), ("final", NINE), "ignored", ("older-status",)),
        (("corrected", NINE), ("amended", "2026-11-01T08:59:00+07:00"), "applied", ()),
        (("corrected", TWELVE), ("corrected", NINE), "unmatched", ("correction-out-of-order",)),
        (("entered-in-error", NINE), ("corrected", TWELVE), "unmatched", ("was-withdrawn",)),
        (("entered-in-error", NINE), ("final", TWELVE), "unmatched", ("was-withdrawn",)),
        (("entered-in-error", NINE), ("final", NINE), "ignored", ("older-status",)),
        (("entered-in-error", NINE), ("preliminary", None), "ignored", ("older-status",)),
        (("final", NINE), ("cancelled", None), "applied", ()),
    ],
)
def test_the_order_of_two(
    centre: Centre,
    first: tuple[str, str | None],
    second: tuple[str, str | None],
    state: str,
    reason: tuple[str, ...],
) -> None:
    centre.send(report("registered", conclusion="", issued=None), "r1")
    centre.send(report(first[0], issued=first[1]), "r1")
    item = centre.send(report(second[0], issued=second[1], conclusion="second"), "r1")
    assert (item.state, item.reasons) == (state, reason)
    assert held(centre)[0][1] == ("second" if state == "applied" else "Carcinoma")
    assert bool(centre.inbox.unseen()) is (state == "ignored")
    if state != "applied":  # a person may say that it holds
        assert centre.link(item.id, "CB-1", "GT-1") == "linked"
        assert held(centre) == [(second[0], "second")]


@pytest.mark.parametrize(
    ("came", "came_after", "why"),
    [
        ({"issued": "2026-11-01T10:00:00Z"}, {"issued": "2026-11-01T09:00:00Z"}, "older-issue"),
        ({}, {"status": "preliminary"}, "older-status"),
    ],
)
def test_what_lists_a_result_is_given_the_version_that_holds(
    centre: Centre, came: dict[str, Any], came_after: dict[str, Any], why: str
) -> None:
    centre.send({**report("final", conclusion="first"), **came}, "r1")
    late = centre.send({**report("final", conclusion="late"), **came_after}, "r1")
    assert late.reasons == (why,)
    named = centre.inbox.newest_version("bv-tinh", "DiagnosticReport/r1")
    assert named is not None
    assert named["conclusion"] == "first"
    assert [
        one.resource["conclusion"]
        for one in centre.inbox.newest_items_named("bv-tinh", ["DiagnosticReport/r1"])
    ] == ["first"]


END_OF_TIME = "9999-12-31T23:59:59.999-12:00"  # what a clock that is not set shows, and no database holds


def there(number: str, second: int) -> dict[str, str]:
    """As the sender's own server says which version it is."""
    return {"versionId": number, "lastUpdated": f"2026-11-01T02:00:{second:02}.5Z"}


@pytest.mark.parametrize(
    ("came", "came_after", "holds"),
    [
        (("final", there("4", 9)), ("final", there("3", 8)), "first"),
        (("final", there("10", 9)), ("final", there("9", 8)), "first"),
        (("final", there("10", 9)), ("final", there("9", 9)), "first"),
        (("amended", there("4", 9)), ("corrected", there("3", 8)), "first"),
        (("corrected", there("4", 9)), ("final", there("3", 8)), "first"),
        (("final", there("b3f1-c", 9)), ("final", there("a2c4-d", 8)), "first"),
        (("final", there("3", 8)), ("final", there("4", 9)), "second"),
        (("final", there("4", 9)), ("final", there("3", 10)), "second"),
        (("final", there("4", 9)), ("final", there("4", 8)), "second"),
        (("final", there("b3f1-c", 9)), ("final", there("3", 8)), "second"),
        (("final", {"versionId": "4"}), ("final", there("3", 8)), "second"),
        (("final", there("4", 9)), ("final", {"versionId": "3", "lastUpdated": "hôm qua"}), "second"),
        (("final", there("4", 9)), ("final", {}), "second"),
        (("final", {"versionId": "4", "lastUpdated": END_OF_TIME}), ("final", there("3", 8)), "second"),
    ],
)
def test_a_server_that_sends_with_several_threads_sends_in_any_order(
    centre: Centre, came: tuple[str, Any], came_after: tuple[str, Any], holds: str
) -> None:
    first = centre.send(report(came[0], conclusion="first", meta=came[1]), "r1")
    second = centre.send(report(came_after[0], conclusion="second", meta=came_after[1]), "r1")
    assert [one for _, one in held(centre)] == [holds]
    assert first.state == "applied"
    late = ("ignored", ("older-version",)) if holds == "first" else ("applied", ())
    assert (second.state, second.reasons) == late
    assert centre.inbox.unseen() == []


def test_a_version_that_says_again_what_an_earlier_one_said_holds_where_its_server_wrote_it_last(
    centre: Centre,
) -> None:
    for number, said in enumerate(("A", "B", "A"), start=1):
        centre.send(report(conclusion=said, meta=there(str(number), number)), "r1")
    assert held(centre) == [("final", "A")]
    late = centre.send(report(conclusion="B", meta=there("2", 2)), "r1")
    assert late.reasons == ("repeated-version",)
    assert held(centre) == [("final", "A")]


def test_a_task_that_its_server_wrote_before_the_one_that_came_first_changes_nothing(centre: Centre) -> None:
    def task(status: str, **meta: Any) -> dict[str, Any]:
        focus = {"identifier": {"system": OURS, "value": "idref1"}}
        return {
            "resourceType": "Task",
            "id": "t1",
            "status": status,
            "intent": "order",
            "focus": focus,
            "for": SUBJECT,
            **meta,
        }

    accepted = centre.send(task("accepted", meta=there("3", 3)), "t1")
    late = centre.send(task("rejected", meta=there("2", 2)), "t1")
    assert (accepted.state, late.state, late.reasons) == ("applied", "ignored", ("older-version",))
    assert centre.referral("GT-1").fulfilment is not Fulfilment.NONE


def test_what_a_person_says_replaces_another_is_in_the_record_then(centre: Centre) -> None:
    """The correction came first, and what it corrects has the later moment."""
    correction = centre.send(report("corrected", issued=NINE, conclusion="correction"), "r1")
    late = centre.send(report(issued=TWELVE, conclusion="superseded"), "r1")
    assert late.reasons == ("was-corrected",)
    centre.link(late.id, "CB-1", "GT-1")
    assert held(centre) == [("final", "superseded")]
    assert centre.link(correction.id, "CB-1", "GT-1", replaces=late.id) == "linked"
    assert held(centre) == [("corrected", "correction")]
    with pytest.raises(UsageError):
        centre.link(correction.id, "CB-1", "GT-1", replaces=correction.id)
    assert held(centre) == [("corrected", "correction")]


def test_a_withdrawal_that_waits_is_not_overtaken_by_what_it_withdraws(centre: Centre) -> None:
    centre.send(report(), "r1")
    withdrawal = report("entered-in-error", issued=None, subject={**SUBJECT, "display": "Trần Thị Bình"})
    waiting = centre.send(withdrawal, "r1")
    assert waiting.reasons == ("name-differs",)
    late = centre.send(report(conclusion="late"), "r1")
    assert (late.state, late.reasons) == ("ignored", ("older-status",))
    assert centre.link(waiting.id, "CB-1", despite=True) == "linked"
    assert held(centre)[0][0] == "entered-in-error"


def test_what_was_first_waiting_does_not_undo_what_came_later(centre: Centre) -> None:
    first = centre.send(report(subject={**SUBJECT, "display": "Trần Thị Bình"}), "r1")
    centre.send(report("corrected", conclusion="B"), "r1")
    assert centre.link(first.id, "CB-1", despite=True) == "linked"
    assert held(centre) == [("corrected", "B")]


def test_many_identifiers_and_codings_are_bounded(centre: Centre) -> None:
    many = report(
        identifier=[{"system": "urn:x", "value": str(n)} for n in range(500)],
        code={"coding": [{"system": "urn:y", "code": str(n)} for n in range(500)]},
    )
    centre.send(many, "r1")
    assert centre.count("inbox_mark") == 16 * 16 + 16
