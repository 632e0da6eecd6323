"""What a hospital's FHIR client does at our endpoint, and what has to come of it: the same for every client.

Each step is a function of `STEPS`, in that order; what a client has no means for (`test_clients.py` says what
that is) is left out. What is stored is looked at beside the client, over plain HTTP.
"""

from collections.abc import Callable

from interop.call import LOINC, Call, bundle_of, entry_of, places_in, require_same

__all__ = ["STEPS"]

MANY = 25
DAY = "2026-11-{:02}"


def metadata(call: Call) -> None:
    """The CapabilityStatement, without a token."""
    call.driver.take("connect", token=None)
    answer = call.driver.take("metadata")
    assert answer.value["fhirVersion"] == "4.0.1"
    assert "Observation" in {one["type"] for one in answer.value["rest"][0]["resource"]}


def no_token(call: Call) -> None:
    """Who shows nothing is nobody."""
    call.driver.take("connect", token=None)
    call.driver.take("read", type="Patient", id="1").refused(401)


def wrong_token(call: Call) -> None:
    """So is who guesses; whoever guesses often is told to wait."""
    call.driver.take("connect", token="guessed")
    call.driver.take("read", type="Patient", id="1").refused(401, 429)


def token_url(call: Call) -> None:
    """Where tokens are given is found by the client."""
    answer = call.driver.take("token_url")
    assert answer.cannot or answer.value == call.token_url


def login(call: Call) -> None:
    """SMART Backend Services, and then something that needs a token."""
    scope = "system/*.cruds"
    answer = call.driver.take("login", assertion=call.assertion(), scope=scope, token_url=call.token_url)
    if not answer.cannot:
        assert answer.value is None
        call.driver.take("read", type="Patient", id="1").refused(404)
    call.driver.take("connect", token=call.token)


def create(call: Call) -> None:
    """What is stored, and read back by the client, is what was sent."""
    sent = call.person("BN-1")
    made = call.driver.take("create", resource=sent).value
    call.patient = call.get(f"Patient/{made['id']}")
    require_same(call.patient, sent)
    assert call.patient["meta"]["versionId"] == "1"
    require_same(call.driver.take("read", type="Patient", id=made["id"]).value, sent)


def create_if_none(call: Call) -> None:
    """The same person again is the same person."""
    criteria = {"identifier": f"{call.system}|BN-1"}
    answer = call.driver.take("create_if_none", resource=call.person("BN-1"), criteria=criteria)
    if not answer.cannot:
        assert answer.value["id"] == call.patient["id"]
    assert call.count("Patient", identifier=criteria["identifier"]) == 1


def refuse_invalid(call: Call) -> None:
    """A broken invariant is refused, in words that name it, and nothing is stored."""
    wrong = call.observation("2339-0", DAY.format(1), 7.2, f"Patient/{call.patient['id']}")
    wrong["dataAbsentReason"] = {"text": "chưa có"}
    said = call.driver.take("create", resource=wrong).refused(400, 422)
    assert "obs-6" in said
    assert "Observation" in said
    assert call.count("Observation") == 0


def batch(call: Call) -> None:
    """Many at once, each by itself."""
    subject = f"Patient/{call.patient['id']}"
    values = [
        call.observation("2339-0" if n % 5 else "718-7", DAY.format(n + 1), 5 + n / 10, subject)
        for n in range(MANY)
    ]
    answer = call.driver.take("bundle", bundle=bundle_of("batch", *map(entry_of, values))).value
    found = list(places_in(answer))
    call.made = [id for _, id in found]
    assert {type for type, _ in found} == {"Observation"}
    assert len(set(call.made)) == MANY == call.count("Observation")
    for id, sent in zip(call.made, values, strict=True):
        require_same(call.get(f"Observation/{id}"), sent)


def search_code_and_date(call: Call) -> None:
    """By a code and its system, and by a day of Viet Nam."""
    found = call.driver.take(
        "search", type="Observation", params={"code": f"{LOINC}|718-7", "date": "ge2026-11-10"}
    ).value
    assert sorted(call.ids(found)) == sorted(call.made[n] for n in (10, 15, 20))
    (one,) = call.driver.take("search", type="Observation", params={"date": DAY.format(4)}).value
    assert one["id"] == call.made[3]


def pages(call: Call) -> None:
    """Page by page, nothing twice, nothing missed."""
    found = call.driver.take("search", type="Observation", params={"_count": "10"}).value
    assert len(found) == MANY
    assert set(call.ids(found)) == set(call.made)


def search_by_post(call: Call) -> None:
    """POST _search, which keeps what is searched for out of addresses."""
    answer = call.driver.take("search_by_post", type="Observation", params={"code": f"{LOINC}|718-7"})
    assert answer.cannot or len(answer.value) == 5


def chain(call: Call) -> None:
    """By what the subject is known as."""
    params = {"patient.identifier": f"{call.system}|BN-1", "code": f"{LOINC}|718-7"}
    found = call.driver.take("search", type="Observation", params=params).value
    assert len(found) == 5


def include(call: Call) -> None:
    """With whom they are about."""
    params = {"code": f"{LOINC}|718-7", "_include": "Observation:subject"}
    answer = call.driver.take("search_with", type="Observation", params=params)
    if not answer.cannot:
        kinds = [one["resourceType"] for one in answer.value]
        assert sorted(kinds) == ["Observation"] * 5 + ["Patient"]


def update(call: Call) -> None:
    """Another version, by id."""
    changed = {**call.patient, "name": [{"text": "Bà Đặng Thị Hoà Bình"}]}
    call.driver.take("update", resource=changed)
    call.newest = call.get(f"Patient/{call.patient['id']}")
    assert call.newest["meta"]["versionId"] == "2"
    require_same(call.newest, changed)


def update_version(call: Call) -> None:
    """The version that was read and is not the newest any more is refused; the newest is taken."""
    changed = {**call.newest, "gender": "unknown"}
    stale = call.driver.take("update_version", resource=changed, version="1")
    if stale.cannot:
        return
    stale.refused(409, 412)
    assert call.get(f"Patient/{call.patient['id']}") == call.newest
    assert call.driver.take("update_version", resource=changed, version="2").value["id"] == call.patient["id"]
    call.newest = call.get(f"Patient/{call.patient['id']}")
    assert (call.newest["gender"], call.newest["meta"]["versionId"]) == ("unknown", "3")


def unchanged(call: Call) -> None:
    """What the client has already is not sent again."""
    answer = call.driver.take("unchanged", resource=call.newest)
    assert answer.cannot or answer.value is True


def history(call: Call) -> None:
    """All versions, the newest first."""
    answer = call.driver.take("history", type="Patient", id=call.patient["id"])
    if not answer.cannot:
        versions = [one["resource"]["meta"]["versionId"] for one in answer.value["entry"]]
        newest = int(call.newest["meta"]["versionId"])
        assert versions == [str(number) for number in range(newest, 0, -1)]


def vread(call: Call) -> None:
    """An earlier version as it was."""
    answer = call.driver.take("vread", type="Patient", id=call.patient["id"], version="1")
    if not answer.cannot:
        require_same(answer.value, call.patient)


def patch(call: Call) -> None:
    """A part of it, by JSON Patch."""
    at = {"type": "Patient", "id": call.patient["id"]}
    operations = [
        {"op": "test", "path": "/birthDate", "value": "1958-02-28"},
        {"op": "add", "path": "/active", "value": True},
    ]
    if not call.driver.take("patch", operations=operations, **at).cannot:
        found = call.get(f"Patient/{call.patient['id']}")
        require_same(found, {**call.newest, "active": True})


def merge(call: Call) -> None:
    """What R4 does not know is refused in words, and changes nothing."""
    before = call.get(f"Patient/{call.patient['id']}")
    answer = call.driver.take("merge", type="Patient", id=call.patient["id"], fields={"active": False})
    if not answer.cannot:
        answer.refused(422)
    assert call.get(f"Patient/{call.patient['id']}") == before


def update_if(call: Call) -> None:
    """By criteria: none is created, one is changed, of several none."""
    one = call.observation("4548-4", DAY.format(27), 6.5, f"Patient/{call.patient['id']}")
    one["identifier"] = [{"system": call.system, "value": "KQ-1"}]
    criteria = {"identifier": f"{call.system}|KQ-1"}
    answer = call.driver.take("update_if", resource=one, criteria=criteria)
    if answer.cannot:
        return
    again = {**one, "status": "corrected"}
    assert answer.value["id"] == call.driver.take("update_if", resource=again, criteria=criteria).value["id"]
    assert call.get(f"Observation/{answer.value['id']}")["status"] == "corrected"
    call.driver.take("update_if", resource=again, criteria={"code": f"{LOINC}|718-7"}).refused(412)
    assert call.count("Observation", identifier=criteria["identifier"]) == 1


def transaction(call: Call) -> None:
    """References between new ones, by urn:uuid."""
    about, value, report = (f"urn:uuid:00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
    sent = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": call.system, "value": "PHIEU-1"}],
        "status": "final",
        "code": {"text": "Xét nghiệm máu"},
        "subject": {"reference": about},
        "result": [{"reference": value}],
    }
    entries = (
        entry_of(sent, fullUrl=report),
        entry_of(call.observation("2339-0", DAY.format(28), 6.4, about), fullUrl=value),
        entry_of(call.person("BN-2"), fullUrl=about),
    )
    answer = call.driver.take("bundle", bundle=bundle_of("transaction", *entries)).value
    places = ["/".join(place) for place in places_in(answer)]
    stored = call.get(places[0])
    assert stored["subject"]["reference"] == places[2]
    assert [one["reference"] for one in stored["result"]] == [places[1]]
    assert call.get(places[1])["subject"]["reference"] == places[2]


def transaction_by_identifier(call: Call) -> None:
    """References and creates by what somebody is known as."""
    person = f"Patient?identifier={call.system}|BN-1"
    value = call.observation("1742-6", DAY.format(28), 31, person)
    entries = (
        entry_of(value),
        entry_of(call.person("BN-2"), if_none_exist=f"identifier={call.system}|BN-2"),
    )
    answer = call.driver.take("bundle", bundle=bundle_of("transaction", *entries)).value
    made, known = places_in(answer)
    assert call.get(f"Observation/{made[1]}")["subject"]["reference"] == f"Patient/{call.patient['id']}"
    assert call.get(f"Patient/{known[1]}")["identifier"][0]["value"] == "BN-2"
    assert call.count("Patient") == 2


def transaction_that_fails(call: Call) -> None:
    """All of it, or nothing."""
    before = call.count("Observation")
    right = call.observation("2339-0", DAY.format(29), 7.2, f"Patient/{call.patient['id']}")
    wrong = {**right, "dataAbsentReason": {"text": "chưa có"}}
    answer = call.driver.take("bundle", bundle=bundle_of("transaction", entry_of(right), entry_of(wrong)))
    assert "obs-6" in answer.refused(400, 422)
    assert call.count("Observation") == before


def validate(call: Call) -> None:
    """$validate says what a create would."""
    right = call.observation("2339-0", DAY.format(29), 7.2, f"Patient/{call.patient['id']}")
    answer = call.driver.take("validate", resource=right)
    if not answer.cannot:
        assert answer.value is True
        wrong = {**right, "dataAbsentReason": {"text": "chưa có"}}
        assert call.driver.take("validate", resource=wrong).value is False


def delete(call: Call) -> None:
    """Nothing is deleted here."""
    call.driver.take("delete", type="Observation", id=call.made[0]).refused(405)
    assert call.get(f"Observation/{call.made[0]}")["status"] == "final"


def nobodys(call: Call) -> None:
    """What is another hospital's is not there."""
    call.driver.take("read", type="Patient", id=call.strangers).refused(404)
    mine = call.driver.take("search", type="Patient", params={"identifier": f"{call.system}|BN-1"}).value
    assert call.ids(mine) == [call.patient["id"]]


def read_back(call: Call) -> None:
    """All that was sent, once more, through the client and beside it."""
    found = call.driver.take("search", type="Observation", params={}).value
    assert len(found) == call.count("Observation")
    for one in found:
        require_same(one, call.get(f"Observation/{one['id']}"))


STEPS: tuple[Callable[[Call], None], ...] = (
    metadata,
    no_token,
    wrong_token,
    token_url,
    login,
    create,
    create_if_none,
    refuse_invalid,
    batch,
    search_code_and_date,
    pages,
    search_by_post,
    chain,
    include,
    update,
    update_version,
    unchanged,
    history,
    vread,
    patch,
    merge,
    update_if,
    transaction,
    transaction_by_identifier,
    transaction_that_fails,
    validate,
    delete,
    nobodys,
    read_back,
)
