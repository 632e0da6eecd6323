"""What answers a referral, and what looks like it."""

from typing import Any

from results_of_our_own.row import (
    OURS,
    Refused,
    Request,
    Row,
    World,
    corrects,
    identified,
    of,
    post,
    procedure,
    put,
    report,
    result,
    task,
    transaction,
    waits,
)

__all__ = ["ANSWER_ROWS"]


def _order(world: World, order: Any, status: str, **content: Any) -> dict[str, Any]:
    """The hospital's copy of a referral."""
    return {
        "resourceType": "ServiceRequest",
        "identifier": [order.identifier],
        "status": status,
        "intent": "order",
        "subject": {"identifier": world.person("AN").identifier},
    } | content


ANSWER_ROWS = (
    Row(
        "a final report",
        lambda w: [post(report(w, None, w.referral("AN.P5"), conclusion="Bình thường"))],
        [of("AN")],
        {"conclusion": "Bình thường", "referral": "AN.P5"},
        {"AN.P5": "completed"},
    ),
    Row(
        "a partial report",
        lambda w: [post(report(w, None, w.referral("AN.P6"), status="partial"))],
        [of("AN")],
        {"status": "partial"},
        {"AN.P6": "in-progress"},
    ),
    Row(
        "a referral by its id at the hospital's server",
        lambda w: [
            post(report(w, basedOn=[{"reference": f"{w.base}/ServiceRequest/{w.referral('AN.P7').id}"}]))
        ],
        [of("AN")],
        {},
        {"AN.P7": "completed"},
    ),
    Row(
        "a referral by its id alone, and her name",
        lambda w: [
            post(
                report(
                    w,
                    basedOn=[{"reference": f"ServiceRequest/{w.referral('BINH.P1').id}"}],
                    subject={"reference": f"{w.base}/Patient/{w.person('BINH').id}"},
                )
            )
        ],
        [of("BINH")],
        {},
        {"BINH.P1": "completed"},
    ),
    Row(
        "a referral by its id alone, and a subject that nobody knows",
        lambda w: [
            post(
                report(
                    w,
                    basedOn=[{"reference": f"ServiceRequest/{w.referral('BINH.P2').id}"}],
                    subject={"reference": "Patient/1052"},
                )
            )
        ],
        [waits("server-unclear", cadre="BINH")],
        {},
        {"BINH.P2": "none"},
    ),
    Row(
        "our Task as what it is based on",
        lambda w: [post(report(w, basedOn=[{"identifier": w.task("AN.P8").identifier}]))],
        [of("AN")],
        {},
        {"AN.P8": "completed"},
    ),
    Row(
        "two referrals of one person",
        lambda w: [post(report(w, None, w.referral("AN.P9"), w.referral("AN.P10")))],
        [waits("several-referrals", cadre="AN")],
        {},
        {"AN.P9": "none", "AN.P10": "none"},
    ),
    Row(
        "two referrals of two people",
        lambda w: [post(report(w, None, w.referral("AN.P9"), w.referral("BINH.P3")))],
        [waits("several-referrals")],
        {},
        {"AN.P9": "none", "BINH.P3": "none"},
    ),
    Row(
        "a referral to another hospital",
        lambda w: [post(report(w, None, w.referral("AN.TU")))],
        [waits("referral-of-another-hospital", cadre="AN")],
        {},
        {"AN.TU": "none"},
    ),
    Row(
        "a referral that was revoked",
        lambda w: [post(report(w, None, w.referral("AN.BO")))],
        [waits("referral-revoked", cadre="AN")],
        {},
        {"AN.BO": "none"},
    ),
    Row(
        "a referral that is none",
        lambda w: [
            post(report(w, w.person("AN"), basedOn=[{"identifier": {"system": OURS, "value": "f" * 32}}]))
        ],
        [waits("referral-unknown", cadre="AN")],
    ),
    Row(
        "an order of the hospital's own, and his identifier",
        lambda w: [
            post(report(w, w.person("AN"), basedOn=[{"reference": f"ServiceRequest/{w.own('order')}"}]))
        ],
        [of("AN")],
        {"referral": None},
    ),
    Row(
        "an order of the hospital's own that is based on ours",
        lambda w: [
            put(
                {
                    "resourceType": "ServiceRequest",
                    "id": w.own("order"),
                    "status": "active",
                    "intent": "filler-order",
                    "subject": {"identifier": w.person("BINH").identifier},
                    "basedOn": [{"identifier": w.referral("BINH.P4").identifier}],
                }
            ),
            post(report(w, w.person("BINH"), basedOn=[{"reference": f"ServiceRequest/{w.own('order')}"}])),
        ],
        [of("BINH"), of("BINH")],
        {"referral": "BINH.P4"},
        {"BINH.P4": "completed"},
    ),
    Row(
        "our referral as the requisition of an order of the hospital's own",
        lambda w: [
            put(
                {
                    "resourceType": "ServiceRequest",
                    "id": w.own("order"),
                    "status": "active",
                    "intent": "order",
                    "subject": {"identifier": w.person("BINH").identifier},
                    "requisition": w.referral("BINH.P5").identifier,
                }
            ),
            post(report(w, w.person("BINH"), basedOn=[{"reference": f"ServiceRequest/{w.own('order')}"}])),
        ],
        [of("BINH"), of("BINH")],
        {"referral": "BINH.P5"},
        {"BINH.P5": "completed"},
    ),
    Row(
        "a referral of one under a pseudonym",
        lambda w: [post(report(w, None, w.referral("DUC.P1")))],
        [of("DUC")],
        {},
        {"DUC.P1": "completed"},
    ),
    Row(
        "his referral, her subject",
        lambda w: [post(report(w, w.person("BINH"), w.referral("AN.P11")))],
        [waits("subject-differs")],
        {},
        {"AN.P11": "none"},
    ),
    # treatments
    Row(
        "a treatment was done",
        lambda w: [
            post(
                procedure(
                    w,
                    w.person("MAI"),
                    w.referral("MAI.P2"),
                    outcome={"text": "thành công"},
                    note=[{"text": "chảy máu ít"}],
                )
            )
        ],
        [of("MAI")],
        {"conclusion": "thành công; chảy máu ít"},
        {"MAI.P2": "completed"},
    ),
    Row(
        "a treatment was not done",
        lambda w: [
            post(
                procedure(
                    w,
                    w.person("MAI"),
                    w.referral("MAI.P3"),
                    status="not-done",
                    statusReason={"text": "từ chối"},
                )
            )
        ],
        [of("MAI")],
        {"status": "not-done"},
        {"MAI.P3": "failed"},
    ),
    Row(
        "a treatment has begun",
        lambda w: [post(procedure(w, w.person("MAI"), w.referral("MAI.P4"), status="in-progress"))],
        [of("MAI")],
        {},
        {"MAI.P4": "in-progress"},
    ),
    # answers of the order itself
    Row(
        "accepted",
        lambda w: [post(task(w, w.referral("MY.P1")))],
        [of("MY")],
        {},
        {"MY.P1": "in-progress"},
    ),
    Row(
        "rejected",
        lambda w: [
            post(task(w, w.referral("MY.P2"), status="rejected", statusReason={"text": "hết giường"}))
        ],
        [of("MY")],
        {},
        {"MY.P2": "failed"},
    ),
    Row(
        "our own Task, completed",
        lambda w: [post(task(w, None, status="completed", identifier=[w.task("MY.P3").identifier]))],
        [of("MY")],
        {},
        {"MY.P3": "completed"},
    ),
    Row(
        "accepted, then rejected",
        lambda w: [
            post(task(w, w.referral("MY.P4"))),
            corrects(task(w, w.referral("MY.P4"), status="rejected")),
        ],
        [of("MY"), of("MY")],
        {},
        {"MY.P4": "failed"},
    ),
    Row(
        "a Task of nobody's referral",
        lambda w: [post(task(w, None, focus={"reference": f"ServiceRequest/{w.own('none')}"}))],
        [waits("referral-unknown")],
    ),
    Row(
        "a Task for another person than its referral's",
        lambda w: [post(task(w, w.referral("MY.P5"), **{"for": {"identifier": w.person("MAI").identifier}}))],
        [waits("subject-differs")],
        {},
        {"MY.P5": "none"},
    ),
    Row(
        "accepted, then a report, then the report is withdrawn",
        lambda w: [
            post(task(w, w.referral("MY.P6"))),
            post(report(w, None, w.referral("MY.P6"))),
            corrects(report(w, None, w.referral("MY.P6"), status="entered-in-error")),
        ],
        [of("MY"), of("MY"), of("MY")],
        {},
        {"MY.P6": "in-progress"},
    ),
    Row(
        "the hospital's copy of the referral, completed",
        lambda w: [post(_order(w, w.referral("AN.P12"), "completed"))],
        [of("AN")],
        {},
        {"AN.P12": "completed"},
    ),
    Row(
        "the hospital's copy, revoked",
        lambda w: [post(_order(w, w.referral("AN.P13"), "revoked"))],
        [of("AN")],
        {},
        {"AN.P13": "failed"},
    ),
    Row(
        "the hospital's copy, active: nothing new",
        lambda w: [post(_order(w, w.referral("AN.P14"), "active"))],
        [of("AN")],
        {},
        {"AN.P14": "none"},
    ),
    Row(
        "an order that replaces ours",
        lambda w: [
            post(
                _order(
                    w,
                    w.referral("BINH.P6"),
                    "completed",
                    identifier=identified(w),
                    subject={"identifier": w.person("BINH").identifier},
                    replaces=[{"identifier": w.referral("BINH.P6").identifier}],
                )
            )
        ],
        [of("BINH")],
        {},
        {"BINH.P6": "completed"},
    ),
    # what is refused whole
    Row(
        "one bad result of three in a transaction",
        lambda w: [
            _refused(
                transaction(
                    report(w, None, w.referral("BINH.P7")),
                    result(w, None, w.referral("BINH.P7")),
                    result(w, None, w.referral("BINH.P7"), status="done"),
                )
            )
        ],
        Refused(),
        {},
        {"BINH.P7": "none"},
    ),
    Row(
        "a report without a code",
        lambda w: [_refused(post(report(w, None, w.referral("BINH.P7"), code=None)))],
        Refused(),
        {},
        {"BINH.P7": "none"},
    ),
    Row(
        "a unit and no number where a number must be",
        lambda w: [_refused(post(result(w, w.person("AN"), valueQuantity={"value": "cao"})))],
        Refused(),
    ),
)


def _refused(request: Request) -> Request:
    return Request(request.method, request.path, request.body, request.headers, status=400)
