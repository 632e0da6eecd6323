"""Corrections, withdrawals, repeats and stale versions, in every order."""

from typing import Any

from results_of_our_own.row import (
    RESULTS,
    Row,
    World,
    amount,
    coded,
    corrects,
    of,
    post,
    procedure,
    put,
    report,
    result,
    waits,
)

__all__ = ["VERSION_ROWS"]

LATER = "2026-11-02T16:00:00+07:00"
EARLIER = "2026-11-02T14:00:00+07:00"
FOUR = amount("4.1", "mmol/L")
SEVEN = amount("7.1", "mmol/L")


def _first(world: World, **content: Any) -> dict[str, Any]:
    return result(world, world.person("AN"), **content)


def _then(world: World, status: str = "corrected", **content: Any) -> dict[str, Any]:
    said = ({} if "valueString" in content else {"valueQuantity": SEVEN}) | {"issued": LATER} | content
    return result(world, world.person("AN"), status=status, **said)


def _url(world: World, resource: dict[str, Any]) -> dict[str, Any]:
    return {**resource, "id": world.own("o")}


NOW_SEVEN = {"value": "7.1 mmol/L", "status": "corrected"}

VERSION_ROWS = (
    # corrections are known for what they correct
    Row(
        "corrected, by its number",
        lambda w: [post(_first(w)), corrects(_then(w))],
        [of("AN"), of("AN")],
        NOW_SEVEN,
    ),
    Row(
        "amended, by its URL",
        lambda w: [put(_url(w, _first(w))), put(_url(w, _then(w, "amended")), status=200)],
        [of("AN"), of("AN")],
        {"value": "7.1 mmol/L", "status": "amended"},
    ),
    Row(
        "corrected and posted anew under another id",
        lambda w: [put(_url(w, _first(w))), post(_then(w))],
        [of("AN"), of("AN")],
        NOW_SEVEN,
    ),
    Row(
        "corrected, with another coding before and the text respelt",
        lambda w: [
            post(_first(w)),
            post(
                _then(
                    w,
                    code={
                        "coding": [
                            {"system": RESULTS, "code": "K"},
                            {"system": "http://loinc.org", "code": "2823-3"},
                        ],
                        "text": "KALI (máu)",
                    },
                )
            ),
        ],
        [of("AN"), of("AN")],
        NOW_SEVEN,
    ),
    Row(
        "corrected, with another number before",
        lambda w: [
            post(_first(w)),
            post(
                _then(
                    w,
                    identifier=[
                        {"system": "https://bv-tinh.example/order", "value": w.own("order")},
                        {"system": RESULTS, "value": w.number},
                    ],
                )
            ),
        ],
        [of("AN"), of("AN")],
        NOW_SEVEN,
    ),
    Row(
        "corrected without a time",
        lambda w: [post(_first(w)), corrects(_then(w, issued=None))],
        [of("AN"), of("AN")],
        NOW_SEVEN,
    ),
    Row(
        "corrected with a time an hour before",
        lambda w: [post(_first(w)), corrects(_then(w, issued=EARLIER))],
        [of("AN"), of("AN")],
        NOW_SEVEN,
    ),
    Row(
        "corrected in the year 1",
        lambda w: [post(_first(w)), corrects(_then(w, issued="0001-01-01T00:00:00Z"))],
        [of("AN"), of("AN")],
        NOW_SEVEN,
    ),
    Row(
        "corrected after a version of the year 2062",
        lambda w: [post(_first(w, issued="2062-11-02T15:05:00+07:00")), corrects(_then(w))],
        [of("AN"), of("AN")],
        NOW_SEVEN,
    ),
    Row(
        "what corrects another code under the same number",
        lambda w: [post(_first(w)), post(_then(w, code=coded("2951-2", "Natri")))],
        [of("AN"), waits("corrects-unknown", cadre="AN")],
        {"value": "4.1 mmol/L", "status": "final"},
    ),
    Row(
        "a correction of what never came",
        lambda w: [post(_then(w, code=coded("1000-9", f"Nhóm máu {w.number}", RESULTS)))],
        [of("AN")],
        {"status": "corrected"},
    ),
    Row(
        "a correction that shares the code alone",
        lambda w: [
            post(_first(w, code=coded(w.own("c"), "Ferritin", RESULTS))),
            post(
                _then(
                    w,
                    code=coded(w.own("c"), "Ferritin", RESULTS),
                    identifier=[{"system": RESULTS, "value": w.own("other")}],
                )
            ),
        ],
        [of("AN"), waits("corrects-unknown", cadre="AN")],
        {"value": "4.1 mmol/L"},
    ),
    Row(
        "two corrections, the earlier one last",
        lambda w: [
            post(_first(w, issued="2026-11-02T08:00:00+07:00")),
            corrects(_then(w)),
            corrects(_then(w, issued="2026-11-02T09:00:00+07:00", valueQuantity=amount("6", "mmol/L"))),
        ],
        [of("AN"), of("AN"), waits("correction-out-of-order", cadre="AN")],
        NOW_SEVEN,
    ),
    Row(
        "a correction of his result that names her",
        lambda w: [post(_first(w)), corrects(result(w, w.person("BINH"), status="corrected", issued=LATER))],
        [of("AN"), waits("belongs-to-another", cadre="BINH")],
        {"value": "4.1 mmol/L", "status": "final"},
    ),
    # withdrawals
    Row(
        "withdrawn",
        lambda w: [post(_first(w)), corrects(_then(w, "entered-in-error", valueQuantity=FOUR))],
        [of("AN"), of("AN")],
        {"status": "entered-in-error"},
    ),
    Row(
        "withdrawn with nothing but its number and code",
        lambda w: [
            post(_first(w)),
            corrects(
                {
                    "resourceType": "Observation",
                    "status": "entered-in-error",
                    "identifier": [{"system": RESULTS, "value": w.number}],
                    "code": coded("2823-3"),
                    "subject": {"identifier": w.person("AN").identifier},
                }
            ),
        ],
        [of("AN"), of("AN")],
        {"status": "entered-in-error"},
    ),
    Row(
        "withdrawn under a number that nobody knows",
        lambda w: [post(_then(w, "entered-in-error"))],
        [waits("withdraws-unknown", cadre="AN")],
    ),
    Row(
        "a report is withdrawn that had completed a referral",
        lambda w: [
            post(report(w, w.person("AN"), w.referral("AN.P3"))),
            corrects(report(w, w.person("AN"), w.referral("AN.P3"), status="entered-in-error")),
        ],
        [of("AN"), of("AN")],
        {"status": "entered-in-error"},
        {"AN.P3": "none"},
    ),
    Row(
        "a report is withdrawn, and another result still answers",
        lambda w: [
            post(
                result(
                    w,
                    w.person("AN"),
                    w.referral("AN.P4"),
                    identifier=[{"system": RESULTS, "value": w.own("b")}],
                )
            ),
            post(report(w, w.person("AN"), w.referral("AN.P4"))),
            corrects(report(w, w.person("AN"), w.referral("AN.P4"), status="entered-in-error")),
        ],
        [of("AN"), of("AN"), of("AN")],
        {},
        {"AN.P4": "in-progress"},
    ),
    Row(
        "final again after it was withdrawn",
        lambda w: [
            post(_first(w)),
            corrects(_then(w, "entered-in-error", issued=LATER)),
            corrects(_then(w, "final", issued="2026-11-02T17:00:00+07:00")),
        ],
        [of("AN"), of("AN"), waits("was-withdrawn", cadre="AN")],
        {"status": "entered-in-error"},
    ),
    Row(
        "a procedure entered in error",
        lambda w: [
            post(procedure(w, w.person("BINH"))),
            corrects(procedure(w, w.person("BINH"), status="entered-in-error")),
        ],
        [of("BINH"), of("BINH")],
        {"status": "entered-in-error"},
    ),
)
