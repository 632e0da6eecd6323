"""What a report says of the results that it lists, what a person reads, and values that look like one."""

from results_of_our_own.row import (
    MEANT,
    Row,
    amount,
    coded,
    identified,
    ignored,
    of,
    post,
    put,
    report,
    result,
    transaction,
    waits,
)

__all__ = ["LISTED_ROWS"]

HOLDS = {"value": "4.1 mmol/L", "title": MEANT}


LISTED_ROWS = (
    # listed by a report that says whose it is
    Row(
        "a result that leaves its subject to the report",
        lambda w: [
            transaction(
                result(w, id=w.own("o")),
                report(
                    w,
                    w.person("AN"),
                    w.referral("AN.P1"),
                    result=[{"reference": f"Observation/{w.own('o')}"}],
                ),
            )
        ],
        [of("AN"), of("AN")],
        {"title": "Phiếu kết quả", "value": "Kali / 2823-3 4.1 mmol/L"},
        {"AN.P1": "completed"},
    ),
    Row(
        "the report comes an hour later",
        lambda w: [
            put(result(w, id=w.own("o"))),
            post(report(w, w.person("BINH"), result=[{"reference": f"Observation/{w.own('o')}"}])),
        ],
        [of("BINH"), of("BINH")],
        HOLDS,
    ),
    Row(
        "a report of another person's, that lists his result",
        lambda w: [
            transaction(
                result(w, w.person("AN"), id=w.own("o")),
                report(w, w.person("BINH"), result=[{"reference": f"Observation/{w.own('o')}"}]),
            )
        ],
        [of("BINH"), of("AN")],
        {"title": "Phiếu kết quả", "value": None, "content.members.0.other_subject": True},
    ),
    Row(
        "two reports of two people list one result without a subject",
        lambda w: [
            transaction(
                result(w, id=w.own("o")),
                report(
                    w,
                    w.person("AN"),
                    result=[{"reference": f"Observation/{w.own('o')}"}],
                    identifier=identified(w, "a"),
                ),
                report(
                    w,
                    w.person("BINH"),
                    result=[{"reference": f"Observation/{w.own('o')}"}],
                    identifier=identified(w, "b"),
                ),
            )
        ],
        [of("AN"), of("BINH"), waits("several-people")],
    ),
    # what no record has a place for
    Row(
        "a Condition of hers",
        lambda w: [
            post(
                {
                    "resourceType": "Condition",
                    "code": {"text": "Tăng huyết áp"},
                    "subject": {"identifier": w.person("BINH").identifier},
                }
            )
        ],
        [waits("to-be-read", cadre="BINH")],
    ),
    Row(
        "a DocumentReference that answers a referral",
        lambda w: [
            post(
                {
                    "resourceType": "DocumentReference",
                    "status": "current",
                    "content": [{"attachment": {"title": "Giấy ra viện"}}],
                    "context": {
                        "related": [{"type": "ServiceRequest", "identifier": w.referral("AN.P2").identifier}]
                    },
                }
            )
        ],
        [waits("to-be-read", cadre="AN")],
    ),
    Row(
        "an ImagingStudy of his",
        lambda w: [
            post(
                {
                    "resourceType": "ImagingStudy",
                    "status": "available",
                    "subject": {"reference": f"{w.base}/Patient/{w.person('AN').id}"},
                }
            )
        ],
        [waits("to-be-read", cadre="AN")],
    ),
    Row(
        "an Encounter of somebody whom nobody knows",
        lambda w: [
            post(
                {
                    "resourceType": "Encounter",
                    "status": "finished",
                    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
                    "subject": {"reference": f"Patient/{w.own('x')}"},
                }
            )
        ],
        [ignored("context")],
    ),
    # two values under one code and number
    Row(
        "two isolates of one culture",
        lambda w: [
            transaction(
                result(w, w.person("AN"), valueString="E. coli", code=coded("600-7", "Cấy máu")),
                result(w, w.person("AN"), valueString="K. pneumoniae", code=coded("600-7", "Cấy máu")),
            )
        ],
        [of("AN"), of("AN")],
        {"value": "E. coli"},
    ),
    Row(
        "one value twice within a day, hours apart",
        lambda w: [
            transaction(
                result(
                    w,
                    w.person("AN"),
                    effectiveDateTime="2026-11-02T08:00:00+07:00",
                    valueQuantity=amount("12", "ng/L"),
                ),
                result(
                    w,
                    w.person("AN"),
                    effectiveDateTime="2026-11-02T11:00:00+07:00",
                    valueQuantity=amount("250", "ng/L"),
                ),
            )
        ],
        [of("AN"), of("AN")],
        {"value": "12 ng/L"},
    ),
)
