"""Before the first write of a contact: what was delivered last is read, and decides whether anything goes."""

import httpx
import pytest
from integration.test_delivery import NAME, SYSTEM, Site, family, patient
from sqlalchemy import Engine

from adapter.delivery.http.client import HospitalClient
from adapter.delivery.shipping.contact import ServerProof
from adapter.ledger.hospitals.server import HaltReason
from adapter.ledger.schema.states import EntryState
from adapter.ledger.server_cards.card import UNMEASURED, ServerCard
from adapter.testing import CAPABLE_SERVER, answers, refuses_connection
from adapter.testing.faults import Fault


class Contacts(Site):
    """A site whose every run is a contact: it is proved first."""

    def contact(self, card: ServerCard = CAPABLE_SERVER) -> int:
        """Deliver what is due; how many writes that took."""
        with HospitalClient(self.hospital.base, transport=self.hospital.transport) as client:
            proof = ServerProof(NAME, client, self.ledger, system=SYSTEM, card=card, clock=self.clock)
            return self.deliver(card=card, server=proof).write_requests

    @property
    def halted(self) -> str | None:
        return self.ledger.hospitals.row(NAME).halted

    def reads(self) -> list[str]:
        return [str(one.url) for one in self.hospital.requests if one.method == "GET"]

    def set_back(self) -> None:
        """An empty backup is put back, and another client's resources get the ids of ours."""
        for place, one in list(self.hospital.resources.items()):
            self.hospital.resources[place] = {
                "resourceType": one["resourceType"],
                "id": one["id"],
                "meta": {"versionId": "1"},
                "identifier": [{"system": "urn:another", "value": one["id"]}],
            }


@pytest.fixture
def site(engine: Engine) -> Contacts:
    found = Contacts(engine)
    found.wish("c1", *family("c1"))
    found.wish("c2", *family("c2"))
    assert found.contact() > 0
    found.hospital.requests.clear()
    return found


def renamed(site: Contacts, *cadres: str) -> None:
    for cadre in cadres:
        site.wish(cadre, patient(cadre, "Trần Thị B"), *family(cadre)[1:])


def test_three_are_read_where_something_goes_and_none_where_nothing_does(site: Contacts) -> None:
    assert site.contact() == 0
    assert site.hospital.requests == []
    renamed(site, "c1", "c2")
    assert site.contact() > 0
    assert [one.method for one in site.hospital.requests][:3] == ["GET"] * 3
    assert len(site.reads()) == 3
    assert site.states() == {EntryState.DELIVERED: 8}


def test_the_first_contact_of_all_asks_nothing(engine: Engine) -> None:
    site = Contacts(engine)
    site.wish("c1", *family("c1"))
    assert site.contact() > 0
    assert site.reads() == []


def test_nothing_is_written_where_ids_are_anothers_and_it_stays_so(site: Contacts) -> None:
    site.set_back()
    renamed(site, "c1", "c2")
    before = dict(site.hospital.resources)
    assert site.contact() == 0
    assert site.halted == HaltReason.RESTORED
    assert site.contact() == 0
    assert site.hospital.resources == before
    assert site.states()[EntryState.PENDING] == 2


def test_a_hospital_that_was_away_is_proved_again_in_the_same_run(site: Contacts) -> None:
    def restored_meanwhile(request: httpx.Request) -> httpx.Response | None:
        site.set_back()
        return refuses_connection(request)

    faults: list[Fault | None] = [None, None, None, restored_meanwhile]
    site.hospital.faults = [*faults, refuses_connection, refuses_connection]  # until quick tries are over
    renamed(site, "c1", "c2")
    site.contact()
    assert site.halted == HaltReason.RESTORED
    assert all(one["identifier"][0]["system"] == "urn:another" for one in site.hospital.resources.values())


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (answers(401), "auth"),
        (answers(403), "auth"),
        (answers(500), "busy"),
        (answers(302), "not-fhir"),
        (lambda _request: httpx.Response(404, html="<h1>Not here</h1>"), "not-fhir"),
        (lambda _request: httpx.Response(200, html="<h1>Sign in</h1>"), "not-fhir"),
        (lambda _request: httpx.Response(200, json={"resourceType": "Bundle"}), "not-fhir"),
    ],
)
def test_an_answer_that_proves_nothing_is_the_hospitals_trouble_and_no_sign(
    site: Contacts, fault: Fault, why: str
) -> None:
    renamed(site, "c1")
    site.hospital.faults = [fault]
    with HospitalClient(site.hospital.base, transport=site.hospital.transport) as client:
        proof = ServerProof(NAME, client, site.ledger, system=SYSTEM, card=CAPABLE_SERVER, clock=site.clock)
        assert site.deliver(server=proof, patience=0).write_requests == 0
    assert (site.ledger.hospitals.row(NAME).last_error, site.halted) == (why, None)
    site.clock.advance(hours=1)
    assert site.contact() > 0  # it passed
    assert site.halted is None


def test_a_card_that_nobody_measured_takes_the_safe_side(site: Contacts) -> None:
    renamed(site, "c2")
    newest = site.ledger.servers.newest_delivered(NAME, 1)[0]
    del site.hospital.resources[newest.type, newest.remote_id]
    assert site.contact(UNMEASURED) == 0
    assert site.halted == HaltReason.RESTORED
