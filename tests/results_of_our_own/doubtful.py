"""What contradicts itself or the record, and what is about somebody or something else."""

from results_of_our_own.row import (
    CCCD,
    MEANT,
    RESULTS,
    Row,
    World,
    batch,
    of,
    patient,
    post,
    put,
    result,
    transaction,
    waits,
)

__all__ = ["DOUBTFUL_ROWS"]

HOLDS = {"value": "4.1 mmol/L", "title": MEANT}
AN = {"name": [{"text": "Nguyễn Văn An"}], "birthDate": "1955-03-14", "gender": "male"}
AN_ID = {"identifier": [{"system": CCCD, "value": "024055000111"}]}


def _said(world: World, subject: dict[str, object], **content: object) -> dict[str, object]:
    return result(world, subject=subject, **content)


def _came_along(world: World, **person: object) -> list[dict[str, object]]:
    """The laboratory's own Patient, and a result that refers to it."""
    return [patient(world, **person), _said(world, {"reference": f"Patient/{world.own()}"})]


def _contained(world: World, **person: object) -> dict[str, object]:
    inside = {"resourceType": "Patient", "id": "c", **person}
    return _said(world, {"reference": "#c"}, contained=[inside])


def _by_number(world: World, value: str, system: str | None = CCCD) -> dict[str, object]:
    number = {"value": value} | ({"system": system} if system else {})
    return _said(world, {"type": "Patient", "identifier": number})


DOUBTFUL_ROWS = (
    # what contradicts
    Row(
        "his number, another name",
        lambda w: [transaction(*_came_along(w, **AN_ID, name=[{"text": "Trần Văn Long"}]))],
        [waits("name-differs", cadre="AN")],
    ),
    Row(
        "his number, another day of birth",
        lambda w: [transaction(*_came_along(w, **AN_ID, birthDate="1955-03-15"))],
        [waits("birth-date-differs", cadre="AN")],
    ),
    Row(
        "his number, another sex",
        lambda w: [transaction(*_came_along(w, **AN_ID, gender="female"))],
        [waits("sex-differs", cadre="AN")],
    ),
    Row(
        "a twin's name under the other twin's number",
        lambda w: [
            transaction(
                *_came_along(
                    w,
                    identifier=[{"system": CCCD, "value": "024170000331"}],
                    name=[{"text": "Lê Thị My"}],
                    birthDate="1970-02-02",
                )
            )
        ],
        [waits("name-differs")],
    ),
    Row(
        "a twin, by her number and name",
        lambda w: [
            transaction(
                *_came_along(
                    w, identifier=[{"system": CCCD, "value": "024170000332"}], name=[{"text": "LE THI MY"}]
                )
            )
        ],
        [of("MY")],
        HOLDS,
    ),
    Row(
        "a twin's subject on the other twin's referral",
        lambda w: [post(result(w, w.person("MY"), w.referral("MAI.P1")))],
        [waits("subject-differs")],
    ),
    Row(
        "titles, letter case, another order of the name",
        lambda w: [transaction(*_came_along(w, **AN_ID, name=[{"text": "Ông NGUYỄN VĂN AN"}]))],
        [of("AN")],
    ),
    # a pseudonym
    Row("our identifier of a pseudonym", lambda w: [post(result(w, w.person("DUC")))], [of("DUC")], HOLDS),
    Row(
        "the pseudonym and year as they were received",
        lambda w: [
            transaction(
                *_came_along(
                    w,
                    identifier=[w.person("DUC").identifier],
                    name=[{"use": "anonymous", "text": f"BN-{w.person('DUC').identity[:10].upper()}"}],
                    birthDate="1958",
                    gender="male",
                )
            )
        ],
        [of("DUC")],
    ),
    Row(
        "another's pseudonym",
        lambda w: [
            transaction(
                *_came_along(
                    w,
                    identifier=[w.person("AN").identifier],
                    name=[{"use": "anonymous", "text": "BN-0123456789"}],
                )
            )
        ],
        [waits("name-differs", cadre="AN")],
    ),
    Row(
        "the full name of who goes out under a pseudonym, by number",
        lambda w: [
            transaction(
                *_came_along(
                    w, identifier=[{"system": CCCD, "value": "024058000551"}], name=[{"text": "Đỗ Văn Đức"}]
                )
            )
        ],
        [of("DUC")],
    ),
    Row(
        "of whom nothing leaves, by number: nobody whom this hospital was sent",
        lambda w: [post(_by_number(w, "024150000661"))],
        [waits("not-sent-there", cadre="HOA")],
    ),
    # a Patient that is contained, in a batch, sent again, no longer in use
    Row("a contained Patient", lambda w: [post(_contained(w, **AN, **AN_ID))], [of("AN")], HOLDS),
    Row(
        "a contained Patient who is somebody else by name",
        lambda w: [post(_contained(w, **AN_ID, name=[{"text": "Trần Văn Long"}]))],
        [waits("name-differs", cadre="AN")],
    ),
    Row(
        "by a urn:uuid within the transaction",
        lambda w: [
            transaction(
                {"fullUrl": w.uuid(), "resourceType": "Patient", **AN, **AN_ID},
                {"fullUrl": w.uuid(1), **_said(w, {"reference": w.uuid()})},
            )
        ],
        [of("AN")],
        HOLDS,
    ),
    Row("a batch", lambda w: [batch(*_came_along(w, **AN, **AN_ID))], [of("AN")], HOLDS),
    Row(
        "the Patient first, the result later",
        lambda w: [put(patient(w, **AN, **AN_ID)), post(_came_along(w)[1])],
        [of("AN")],
        HOLDS,
    ),
    Row(
        "the endpoint's own address before the id",
        lambda w: [
            put(patient(w, **AN, **AN_ID)),
            post(_said(w, {"reference": f"{w.endpoint}/Patient/{w.own()}"})),
        ],
        [of("AN")],
        HOLDS,
    ),
    Row(
        "an id that was another person's before",
        lambda w: [
            put(patient(w, **AN, **AN_ID)),
            put(
                patient(
                    w,
                    name=[{"text": "Trần Thị Bình"}],
                    birthDate="1960-07-01",
                    gender="female",
                    identifier=[{"system": CCCD, "value": "024160000222"}],
                ),
                status=200,
            ),
            post(_came_along(w)[1]),
        ],
        [waits("patient-changed", cadre="BINH")],
    ),
    Row(
        "a Patient no longer in use",
        lambda w: [transaction(*_came_along(w, **AN_ID, active=False))],
        [waits("patient-inactive", cadre="AN")],
    ),
    Row(
        "a Patient replaced by another",
        lambda w: [
            transaction(
                *_came_along(
                    w, **AN_ID, link=[{"type": "replaced-by", "other": {"reference": "Patient/other"}}]
                )
            )
        ],
        [waits("patient-replaced", cadre="AN")],
    ),
    # about somebody or something else
    Row(
        "a group",
        lambda w: [post(_said(w, {"reference": "Group/ward-3"}))],
        [waits("subject-not-a-person")],
    ),
    Row(
        "a device",
        lambda w: [post(_said(w, {"type": "Device", "identifier": {"value": "analyser-1"}}))],
        [waits("subject-not-a-person")],
    ),
    Row(
        "his, with the donor in focus",
        lambda w: [post(result(w, w.person("AN"), focus=[{"reference": "Patient/donor"}]))],
        [waits("about-something-else", cadre="AN")],
    ),
    Row(
        "his, in focus himself",
        lambda w: [post(result(w, w.person("AN"), focus=[{"identifier": w.person("AN").identifier}]))],
        [of("AN")],
    ),
    Row(
        "a specimen of the donor's",
        lambda w: [
            put(
                {
                    "resourceType": "Specimen",
                    "id": w.own("s"),
                    "subject": {"identifier": {"system": RESULTS, "value": "donor"}},
                }
            ),
            post(result(w, w.person("AN"), specimen={"reference": f"Specimen/{w.own('s')}"})),
        ],
        [waits("specimen-of-another", cadre="AN")],
    ),
    Row(
        "a modifier",
        lambda w: [
            post(
                result(
                    w,
                    w.person("AN"),
                    modifierExtension=[{"url": "https://bv-tinh.example/donor", "valueBoolean": True}],
                )
            )
        ],
        [waits("modified", cadre="AN")],
    ),
    Row(
        "rules of its own",
        lambda w: [post(result(w, w.person("AN"), implicitRules="https://bv-tinh.example/rules"))],
        [waits("other-rules", cadre="AN")],
    ),
    Row(
        "marked as a test",
        lambda w: [
            post(
                result(
                    w,
                    w.person("AN"),
                    meta={
                        "security": [
                            {
                                "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
                                "code": "HTEST",
                            }
                        ]
                    },
                )
            )
        ],
        [waits("test-data", cadre="AN")],
    ),
    Row(
        "marked as a part",
        lambda w: [
            post(
                result(
                    w,
                    w.person("AN"),
                    meta={
                        "tag": [
                            {
                                "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
                                "code": "SUBSETTED",
                            }
                        ]
                    },
                )
            )
        ],
        [waits("not-whole", cadre="AN")],
    ),
    Row(
        "in a Bundle that is marked as a test",
        lambda w: [transaction(result(w, w.person("AN")), meta={"tag": [{"code": "HTEST"}]})],
        [waits("marked-delivery", cadre="AN")],
    ),
)
