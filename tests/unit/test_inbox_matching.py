"""Whose result it is: certain cases are applied, every doubt waits with its reason."""

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter.inbox.evidence import URI_SYSTEM, Identifier, RemoteReference, read_evidence
from adapter.inbox.matching import (
    UNMATCHED_REASONS,
    CertainMatch,
    KnownCadre,
    KnownReferral,
    LookupResult,
    Match,
    NumberMatch,
    Unmatched,
    decide_match,
)

OURS = "https://cadre-health.example/fhir/sid/record"
AN = KnownCadre("CB0001", "Nguyễn Văn An", date(1955, 3, 14), is_held=True)
BINH = KnownCadre("CB0002", "Trần Thị Bình", date(1960, 7, 1), is_held=True)
PEOPLE = {person.key: person for person in (AN, BINH)}
REFERRAL = KnownReferral("GT-001", "CB0001", "bv-tinh")


def _report(**more: Any) -> dict[str, Any]:
    return {"resourceType": "DiagnosticReport", "status": "final", **more}


def _decide(resource: dict[str, Any], siblings: dict[str, Any] | None = None, **found: Any) -> Match:
    said = read_evidence(resource, (siblings or {}).get)
    return decide_match(said, LookupResult(hospital="bv-tinh", **{"people": PEOPLE, **found}))


BASED = _report(basedOn=[{"reference": "ServiceRequest/77"}])
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"system": "urn:cccd", "value": "024055000111"}],
    "name": [{"text": "NGUYEN VAN AN"}],
    "birthDate": "1955-03-14",
}
WITH_PATIENT = _report(subject={"reference": "Patient/p1"})


@pytest.mark.parametrize(
    ("resource", "siblings", "found", "expected"),
    [
        (BASED, {}, {"referrals": (REFERRAL,)}, CertainMatch("CB0001", ("GT-001",))),
        (
            BASED,
            {},
            {"referrals": (REFERRAL,), "by_identity": ("CB0001",)},
            CertainMatch("CB0001", ("GT-001",)),
        ),
        (BASED, {}, {"by_identity": ("CB0001",)}, CertainMatch("CB0001")),  # an order of the hospital's own
        (BASED, {}, {"by_number": (NumberMatch("CB0001", True),)}, CertainMatch("CB0001")),
        (_report(), {}, {"by_identity": ("CB0001",)}, CertainMatch("CB0001")),
        (_report(), {}, {"by_number": (NumberMatch("CB0001", True),)}, CertainMatch("CB0001")),
        (
            WITH_PATIENT,
            {"Patient/p1": PATIENT},
            {"by_number": (NumberMatch("CB0001", False),)},
            CertainMatch("CB0001"),
        ),
        (
            {"resourceType": "Task", "status": "completed", "focus": {"reference": "ServiceRequest/77"}},
            {},
            {"referrals": (KnownReferral("GT-001", "CB0001", "bv-tinh", "revoked"),)},
            CertainMatch("CB0001", ("GT-001",)),
        ),
    ],
)
def test_certain(resource: Any, siblings: Any, found: Any, expected: CertainMatch) -> None:
    assert _decide(resource, siblings, **found) == expected


@pytest.mark.parametrize(
    ("resource", "siblings", "found", "reasons"),
    [
        (_report(), {}, {}, ("no-evidence",)),
        (WITH_PATIENT, {}, {}, ("person-unknown",)),
        (BASED, {}, {}, ("referral-unknown",)),
        (BASED, {}, {"by_identity": ("CB0001",), "has_unknown_referral": True}, ("referral-unknown",)),
        (
            BASED,
            {},
            {"referrals": (REFERRAL, KnownReferral("GT-002", "CB0001", "bv-tinh"))},
            ("several-referrals",),
        ),
        (_report(), {}, {"by_id": ("CB0001",)}, ("server-unclear",)),
        (_report(), {}, {"by_id": ("CB0001",), "by_identity": ("CB0002",)}, ("several-people",)),
        (BASED, {}, {"referrals": (REFERRAL,), "by_id": ("CB0002",)}, ("subject-differs",)),
        (
            BASED,
            {},
            {"referrals": (KnownReferral("GT-9", "CB0001", "bv-trung-uong"),)},
            ("referral-of-another-hospital",),
        ),
        (BASED, {}, {"referrals": (REFERRAL,), "by_identity": ("CB0002",)}, ("subject-differs",)),
        (
            BASED,
            {},
            {"referrals": (REFERRAL,), "by_number": (NumberMatch("CB0002", True),)},
            ("subject-differs",),
        ),
        (
            BASED,
            {},
            {"referrals": (REFERRAL, KnownReferral("GT-3", "CB0002", "bv-tinh"))},
            ("several-referrals",),
        ),
        (
            BASED,
            {},
            {"referrals": (KnownReferral("GT-1", "CB0001", "bv-tinh", "revoked"),)},
            ("referral-revoked",),
        ),
        (_report(), {}, {"by_identity": ("CB0001", "CB0002")}, ("several-people",)),
        (
            _report(),
            {},
            {"by_identity": ("CB0001",), "by_number": (NumberMatch("CB0002", True),)},
            ("several-people",),
        ),
        (_report(), {}, {"by_number": (NumberMatch("CB0001", False),)}, ("uncorroborated",)),
        (
            WITH_PATIENT,
            {"Patient/p1": PATIENT},
            {"by_number": (NumberMatch("CB0002", True),)},
            ("name-differs", "birth-date-differs"),
        ),
        (_report(subject={"reference": "Group/1"}), {}, {}, ("subject-not-a-person",)),
        (
            {"resourceType": "Task", "status": "completed"},
            {},
            {"by_identity": ("CB0001",)},
            ("referral-unknown",),
        ),
    ],
)
def test_doubtful(resource: Any, siblings: Any, found: Any, reasons: tuple[str, ...]) -> None:
    match = _decide(resource, siblings, **found)
    assert isinstance(match, Unmatched)
    assert match.reasons == reasons
    assert set(reasons) <= set(UNMATCHED_REASONS)


def test_a_colliding_hospital_number_does_not_spoil_a_certain_referral() -> None:
    """A ten-digit patient number may equal somebody's insurance number."""
    found = {"referrals": (REFERRAL,), "by_number": (NumberMatch("CB0002", False),)}
    assert _decide(BASED, **found) == CertainMatch("CB0001", ("GT-001",))


def test_candidates_are_ranked_with_what_speaks_for_them() -> None:
    match = _decide(
        WITH_PATIENT | {"basedOn": [{"reference": "ServiceRequest/77"}]},
        {"Patient/p1": PATIENT},
        referrals=(REFERRAL,),
        by_identity=("CB0002",),
    )
    assert isinstance(match, Unmatched)
    assert [(one.cadre, one.referral, one.because) for one in match.candidates] == [
        ("CB0001", "GT-001", ("referral", "birth-date", "name")),
        ("CB0002", None, ("identity",)),
    ]


@pytest.mark.parametrize("given_date", ["1955", "1955-03", "1955-03-14"])
def test_partial_birth_dates_agree(given_date: str) -> None:
    siblings = {"Patient/p1": {**PATIENT, "name": [], "birthDate": given_date}}
    assert _decide(WITH_PATIENT, siblings, by_identity=("CB0001",)) == CertainMatch("CB0001")


@pytest.mark.parametrize(
    ("given_date", "certain"),
    [("1955", False), ("1955-03", False), ("1955-03-14", True), ("1955-03-15", False), ("1956", False)],
)
def test_a_year_of_birth_confirms_no_number_that_contains_it(given_date: str, certain: bool) -> None:
    siblings = {"Patient/p1": {**PATIENT, "name": [], "birthDate": given_date}}
    match = _decide(WITH_PATIENT, siblings, by_number=(NumberMatch("CB0001", False),))
    assert isinstance(match, CertainMatch) is certain


@pytest.mark.parametrize(
    ("reference", "identifiers", "ids"),
    [
        ({"reference": "ServiceRequest/77"}, (), (RemoteReference(None, "77"),)),
        ({"reference": "ServiceRequest/77/_history/2"}, (), (RemoteReference(None, "77"),)),
        (
            {"reference": "https://his.example/fhir/ServiceRequest/77"},
            (),
            (RemoteReference("https://his.example/fhir", "77"),),
        ),
        ({"reference": f"ServiceRequest?identifier={OURS}|abc"}, (Identifier(OURS, "abc"),), ()),
        (
            {"reference": "ServiceRequest?identifier=https%3A%2F%2Fx%7Cabc"},
            (Identifier("https://x", "abc"),),
            (),
        ),
        ({"identifier": {"system": OURS, "value": "abc"}}, (Identifier(OURS, "abc"),), ()),
        ({"identifier": {"value": "abc"}}, (Identifier(None, "abc"),), ()),
        (
            {"reference": "urn:uuid:0c1e2d3f-0000-4000-8000-000000000000"},
            (Identifier(URI_SYSTEM, "urn:uuid:0c1e2d3f-0000-4000-8000-000000000000"),),
            (),
        ),
        ({"reference": "CarePlan/1"}, (), ()),
        ({"reference": "MyServiceRequest/1"}, (), ()),
        ({"display": "chỉ định số 7"}, (), ()),
    ],
)
def test_forms_of_reference(reference: Any, identifiers: Any, ids: Any) -> None:
    said = read_evidence(_report(basedOn=[reference]), {}.get)
    assert said.referral_identifiers == identifiers
    assert said.referral_ids == ids
    assert said.names_referral is (reference.get("reference") not in ("CarePlan/1", "MyServiceRequest/1"))


def test_an_order_of_the_hospital_leads_to_ours() -> None:
    order = {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": "urn:his", "value": "5"}],
        "basedOn": [{"identifier": {"system": OURS, "value": "abc"}}],
    }
    said = read_evidence(
        _report(basedOn=[{"reference": "ServiceRequest/5"}]), {"ServiceRequest/5": order}.get
    )
    assert Identifier(OURS, "abc") in said.referral_identifiers


def test_orders_that_point_at_each_other_end() -> None:
    order = {"resourceType": "ServiceRequest", "basedOn": [{"reference": "ServiceRequest/5"}]}
    said = read_evidence(
        _report(basedOn=[{"reference": "ServiceRequest/5"}]), {"ServiceRequest/5": order}.get
    )
    assert said.referral_ids == ()  # what is held here under an id is never another server's


def test_contained_patient_is_read() -> None:
    resource = _report(contained=[PATIENT], subject={"reference": "#p1"})
    assert read_evidence(resource, {}.get).birth_dates == ("1955-03-14",)


_JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "reference",
                    "identifier",
                    "value",
                    "system",
                    "type",
                    "name",
                    "text",
                    "given",
                    "id",
                    "birthDate",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


# the clock of a busy machine says nothing about the code
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["resourceType", "status", "basedOn", "focus", "for", "subject", "contained", "id"]),
        _JSON,
    )
)
def test_evidence_never_raises(resource: dict[str, Any]) -> None:
    said = read_evidence(resource, lambda _: resource)
    assert isinstance(decide_match(said, LookupResult(hospital="bv-tinh")), Unmatched)


STRANGER = KnownCadre("CB0003", "Nguyễn Văn An", date(1955, 3, 14))


@pytest.mark.parametrize("is_trusted", [True, False])
@pytest.mark.parametrize("resource", [WITH_PATIENT, _report(), _report(subject={"reference": "Patient/p1"})])
def test_a_number_alone_finds_nobody_whom_the_hospital_was_never_sent(
    resource: Any, is_trusted: bool
) -> None:
    """However well name and date of birth fit: who guesses a number may know those too."""
    found = {"by_number": (NumberMatch("CB0003", is_trusted),), "people": {"CB0003": STRANGER}}
    match = _decide(resource, {"Patient/p1": PATIENT}, **found)
    assert isinstance(match, Unmatched)
    assert "not-sent-there" in match.reasons
    assert [one.cadre for one in match.candidates] == ["CB0003"]
