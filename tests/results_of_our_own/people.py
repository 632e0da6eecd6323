"""Whose result it is, in every way to say so, and in those that look like it."""

from results_of_our_own.row import (
    CCCD,
    MEANT,
    OURS,
    RESULTS,
    Row,
    World,
    of,
    patient,
    post,
    put,
    result,
    transaction,
    waits,
)

__all__ = ["PEOPLE_ROWS"]

HOLDS = {"value": "4.1 mmol/L", "title": MEANT}
AN = {"name": [{"text": "Nguyễn Văn An"}], "birthDate": "1955-03-14", "gender": "male"}
AN_ID = {"identifier": [{"system": CCCD, "value": "024055000111"}]}


def _said(world: World, subject: dict[str, object], **content: object) -> dict[str, object]:
    return result(world, subject=subject, **content)


def _came_along(world: World, **person: object) -> list[dict[str, object]]:
    """The laboratory's own Patient, and a result that refers to it."""
    return [patient(world, **person), _said(world, {"reference": f"Patient/{world.own()}"})]


def _by_number(world: World, value: str, system: str | None = CCCD) -> dict[str, object]:
    number = {"value": value} | ({"system": system} if system else {})
    return _said(world, {"type": "Patient", "identifier": number})


PEOPLE_ROWS = (
    # by what the centre gave
    Row("our identifier", lambda w: [post(result(w, w.person("AN")))], [of("AN")], HOLDS),
    Row(
        "our identifier in capitals",
        lambda w: [
            post(_said(w, {"identifier": {"system": OURS, "value": w.person("BINH").identity.upper()}}))
        ],
        [of("BINH")],
        HOLDS,
    ),
    Row(
        "our identifier with dashes, as a urn:uuid, without a system",
        lambda w: [post(_said(w, {"identifier": {"value": f"urn:uuid:{_dashed(w.person('AN').identity)}"}}))],
        [of("AN")],
        HOLDS,
    ),
    Row(
        "our identifier under the hospital's own system",
        lambda w: [post(_said(w, {"identifier": {"system": RESULTS, "value": w.person("AN").identity}}))],
        [of("AN")],
    ),
    Row(
        "an identifier of our kind that is nobody's",
        lambda w: [post(_said(w, {"identifier": {"system": OURS, "value": "0" * 32}}))],
        [waits("person-unknown")],
    ),
    Row(
        "her id at the hospital's server, with its address",
        lambda w: [post(_said(w, {"reference": f"{w.base}/Patient/{w.person('BINH').id}"}))],
        [of("BINH")],
        HOLDS,
    ),
    Row(
        "the same, of one version",
        lambda w: [post(_said(w, {"reference": f"{w.base}/Patient/{w.person('BINH').id}/_history/1"}))],
        [of("BINH")],
    ),
    Row(
        "his id alone, at no certain server",
        lambda w: [post(_said(w, {"reference": f"Patient/{w.person('AN').id}"}))],
        [waits("server-unclear", cadre="AN")],
    ),
    Row(
        "an id of another server that happens to be ours",
        lambda w: [
            post(_said(w, {"reference": f"https://elsewhere.example/fhir/Patient/{w.person('AN').id}"}))
        ],
        [waits("person-unknown")],
    ),
    Row(
        "the laboratory's own Patient under an id that is somebody else's at the hospital",
        lambda w: [
            put({"resourceType": "Patient", "id": str(w.person("MAI").id), **AN, **AN_ID}),
            post(_said(w, {"reference": f"Patient/{w.person('MAI').id}"})),
        ],
        [of("AN")],
        HOLDS,
    ),
    Row(
        "our Encounter",
        lambda w: [post(result(w, encounter={"identifier": w.visit("AN.K1").identifier}))],
        [of("AN")],
        HOLDS,
    ),
    Row(
        "our Encounter by its id at the hospital's server",
        lambda w: [post(result(w, encounter={"reference": f"{w.base}/Encounter/{w.visit('BINH.K1').id}"}))],
        [of("BINH")],
    ),
    Row(
        "her Encounter and his identifier",
        lambda w: [post(result(w, w.person("AN"), encounter={"identifier": w.visit("BINH.K1").identifier}))],
        [waits("several-people")],
    ),
    # by numbers
    Row("a citizen's number", lambda w: [post(_by_number(w, "024055000111"))], [of("AN")], HOLDS),
    Row("a citizen's number with blanks", lambda w: [post(_by_number(w, "024 055 000 111"))], [of("AN")]),
    Row(
        "a citizen's number that is nobody's",
        lambda w: [post(_by_number(w, "024055999999"))],
        [waits("person-unknown")],
    ),
    Row(
        "a citizen's number under a system of the hospital's own, and nothing else",
        lambda w: [post(_by_number(w, "024055000111", RESULTS))],
        [waits("uncorroborated", cadre="AN")],
    ),
    Row(
        "the same with the name",
        lambda w: [
            transaction(
                *_came_along(
                    w,
                    identifier=[{"system": RESULTS, "value": "024055000111"}],
                    name=[{"text": "NGUYEN VAN AN"}],
                )
            )
        ],
        [of("AN")],
        HOLDS,
    ),
    Row(
        "the same with the year of birth, which the number contains",
        lambda w: [
            transaction(
                *_came_along(w, identifier=[{"system": RESULTS, "value": "024055000111"}], birthDate="1955")
            )
        ],
        [waits("uncorroborated", cadre="AN")],
    ),
    Row(
        "the ten digits of the insurance number, with the name",
        lambda w: [
            transaction(*_came_along(w, identifier=[{"system": RESULTS, "value": "0512345867"}], **AN))
        ],
        [of("AN")],
    ),
    Row(
        "a card of the insurance that was issued anew, with the birth date",
        lambda w: [
            transaction(
                *_came_along(
                    w, identifier=[{"system": RESULTS, "value": "HT3240512345867"}], birthDate="1955-03-14"
                )
            )
        ],
        [of("AN")],
    ),
    Row(
        "an old identity card under the hospital's own system, the year of birth alone known",
        lambda w: [
            transaction(
                *_came_along(
                    w, identifier=[{"system": RESULTS, "value": "020123456"}], birthDate="1948-01-01"
                )
            )
        ],
        [waits("uncorroborated", cadre="LIEN")],
    ),
    Row(
        "the same with her name",
        lambda w: [
            transaction(
                *_came_along(
                    w,
                    identifier=[{"system": RESULTS, "value": "020123456"}],
                    name=[{"text": "Bà Hoàng Thị Liên"}],
                )
            )
        ],
        [of("LIEN")],
    ),
    Row(
        "two numbers of two people",
        lambda w: [
            transaction(
                *_came_along(
                    w,
                    identifier=[
                        {"system": CCCD, "value": "024055000111"},
                        {"system": CCCD, "value": "024160000222"},
                    ],
                )
            )
        ],
        [waits("several-people")],
    ),
    # by name and birth date
    Row(
        "name and birth date alone",
        lambda w: [transaction(*_came_along(w, **AN))],
        [waits("name-and-birth-date-only", cadre="AN")],
    ),
    Row(
        "a name and birth date that two men have",
        lambda w: [
            transaction(
                *_came_along(w, name=[{"text": "Phạm Văn Hùng"}], birthDate="1962-05-05", gender="male")
            )
        ],
        [waits("name-and-birth-date-only")],
    ),
    Row(
        "the number of one of them",
        lambda w: [
            transaction(
                *_came_along(
                    w,
                    name=[{"text": "Phạm Văn Hùng"}],
                    birthDate="1962-05-05",
                    identifier=[{"system": CCCD, "value": "024062000442"}],
                )
            )
        ],
        [of("HUNG-2")],
        HOLDS,
    ),
    Row("a name alone", lambda w: [transaction(*_came_along(w, name=AN["name"]))], [waits("person-unknown")]),
    Row("nobody and nothing", lambda w: [post(result(w))], [waits("no-evidence")]),
    Row(
        "a display alone",
        lambda w: [post(_said(w, {"display": "Nguyễn Văn An"}))],
        [waits("person-unknown")],
    ),
)


def _dashed(identity: str) -> str:
    return "-".join((identity[:8], identity[8:12], identity[12:16], identity[16:20], identity[20:]))
