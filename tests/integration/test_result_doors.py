"""The same results through every door: the same records, and the same state of the referral."""

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from eight_results import (
    DOCUMENT,
    EIGHT,
    KEY,
    EightResult,
    correction_of,
    doors_centre,
    form_of,
    messages_of,
    said_of,
    xml_of,
)
from endpoint_centre import HOME, calling
from hl7v2_centre import HOSPITAL, MllpSender, centre_with_mllp, field, referral, results
from page_centre import at_the_page, state_of
from webhook_centre import plain_document, with_webhook

from adapter.database import open_database
from adapter.fhir import codec
from adapter.hl7v2.conversion import convert_message
from adapter.hl7v2.message import parse_header, parse_message
from adapter.hl7v2.sender import SenderConventions
from adapter.mllp.listener import MllpListener
from adapter.operations.operation import OperationContext
from adapter.operations.pdf_documents import AddPdf
from adapter.operations.poll import poll_and_match
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.dropped_files import pick_up
from adapter.pipeline.inbound.hl7v2_reception import MessageReception
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.inbound.national_xml_reception import FileReception
from adapter.referrals.lifecycle import ReferralState
from adapter.sandbox.app import SANDBOX_OWNER, SandboxHospital
from adapter.testing import Centre, serving

FOLDER = Path(__file__).parents[2] / "fixtures" / "hl7v2"
RESULTS = (
    "chemistry",
    "panel-of-types",
    "microbiology",
    "imaging",
    "report-as-pdf",
    "corrected",
    "replaced-document",
    "withdrawn",
)
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}")
Send = Callable[[bytes], None]


def now() -> datetime:
    return datetime.now(UTC)


def bundle_of(data: bytes, adapter: Adapter) -> codec.Resource:
    """What a hospital with a FHIR server would send instead."""
    hospital = adapter.settings.hospital(HOSPITAL)
    conventions = SenderConventions(adapter.settings.centre.identifier_system, hospital.base_url)
    return convert_message(parse_message(data, parse_header(data), "utf-8"), conventions).bundle


@contextmanager
def by_mllp(centre: Centre, port: int) -> Iterator[Send]:
    with centre.open() as adapter:
        section = adapter.settings.mllp
        assert section is not None
        listener = MllpListener(adapter.settings, section, MessageReception(adapter, now))
        with listener, MllpSender(port) as sender:

            def send(data: bytes) -> None:
                answer = sender.ask(data)
                assert field(answer, "MSA", 1) == "AA", answer

            yield send


@contextmanager
def by_hl7v2_over_http(centre: Centre, port: int) -> Iterator[Send]:
    with calling(centre) as client:

        def send(data: bytes) -> None:
            answer = client.post("/hl7v2", content=data, headers={"Content-Type": "application/hl7-v2"})
            assert answer.status_code == 200, answer.text

        yield send


@contextmanager
def by_fhir(centre: Centre, port: int) -> Iterator[Send]:
    with centre.open() as adapter, calling(centre) as client:

        def send(data: bytes) -> None:
            answer = client.post("/fhir", content=codec.dumps(bundle_of(data, adapter)))
            assert answer.status_code == 200, answer.text

        yield send


@contextmanager
def by_webhook(centre: Centre, port: int) -> Iterator[Send]:
    with_webhook(centre, "plain")
    with centre.open() as adapter, calling(centre) as client:

        def send(data: bytes) -> None:
            document = codec.dumps(plain_document(bundle_of(data, adapter)))
            answer = client.post("/webhook", content=document)
            assert answer.status_code == 200, answer.text

        yield send


@contextmanager
def _by_poll(centre: Centre, by: str) -> Iterator[Send]:
    """The hospital writes to a server of its own, which is read after each."""
    engine = open_database(f"sqlite:///{centre.folder / 'there.db'}")
    there = SandboxHospital(engine, HOSPITAL)
    with serving(there.app) as address:
        base, text = f"{address}/fhir", centre.settings_file.read_text("utf-8")
        assert HOME in text
        section = f'\n[hospitals.{HOSPITAL}.poll]\nby = "{by}"\n'
        centre.settings_file.write_text(text.replace(HOME, base) + section, "utf-8")
        with centre.open() as adapter:
            ours = adapter.settings.centre.identifier_system

            def send(data: bytes) -> None:
                message = parse_message(data, parse_header(data), "utf-8")
                bundle = convert_message(message, SenderConventions(ours, HOME)).bundle
                there.staff_repository.bundle(SANDBOX_OWNER, bundle, base=base)
                found = poll_and_match(adapter, HOSPITAL, now, Event())
                assert [one.problem for one in found] == [None] * 4

            yield send
    engine.dispose()


def by_search(centre: Centre, port: int) -> AbstractContextManager[Send]:
    return _by_poll(centre, "search")


def by_history(centre: Centre, port: int) -> AbstractContextManager[Send]:
    return _by_poll(centre, "history")


Door = Callable[[Centre, int], AbstractContextManager[Send]]


def records_after(
    folder: Path, url: str, door: Door, written: Callable[[str], str] = str
) -> tuple[list[bytes], ReferralState]:
    """All results as they are stored, but for the ids that the endpoint gave and when it did. `written` is
    how a resource's JSON is compared.
    """
    with centre_with_mllp(folder, url) as (centre, port, identity):
        with door(centre, port) as send:
            for number, name in enumerate(RESULTS):
                data = (FOLDER / f"{name}.hl7").read_bytes().replace(b"ab" * 16, identity.encode())
                send(data.replace(b"|1|P|", b"|m%d|P|" % number))
        with centre.open() as adapter:
            process_inbox(adapter, now)
            found = sorted(
                (
                    codec.loads(one.resource)["identifier"][0]["value"],
                    {**one.model_dump(mode="json", exclude={"key"}), "resource": written(one.resource)},
                )
                for one in results(adapter)
            )
            return [_plain(codec.dumps(one).decode()) for _, one in found], referral(adapter).state


def _plain(text: str) -> bytes:
    known: dict[str, str] = {}
    text = re.sub(r'(\\\\?"lastUpdated\\\\?":\\\\?")[^"\\\\]+', r"\1", text)
    return _ID.sub(lambda one: known.setdefault(one[0], f"id-{len(known)}"), text).encode()


@pytest.mark.parametrize("door", [by_mllp, by_hl7v2_over_http, by_search, by_history])
def test_eight_results_make_the_records_that_they_make_through_the_rest_api(
    tmp_path: Path, database_url: str, door: Door
) -> None:
    expected = records_after(tmp_path / "fhir", f"sqlite:///{tmp_path / 'fhir.db'}", by_fhir)
    assert records_after(tmp_path / "other", database_url, door) == expected
    assert (len(expected[0]) > 20, expected[1]) == (True, ReferralState.COMPLETED)


def _in_order(resource: str) -> str:
    """The same JSON, byte for byte, with the properties of each object in the order of their names: a mapping
    writes them in its own.
    """
    return codec.dumps(_sorted(codec.loads(resource))).decode()


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def test_a_hospitals_own_json_makes_the_records_that_they_make_through_the_rest_api(
    tmp_path: Path, database_url: str
) -> None:
    fhir = f"sqlite:///{tmp_path / 'fhir.db'}"
    expected = records_after(tmp_path / "fhir", fhir, by_fhir, _in_order)
    assert records_after(tmp_path / "other", database_url, by_webhook, _in_order) == expected
    assert (len(expected[0]) > 20, expected[1]) == (True, ReferralState.COMPLETED)


# -- the same eight through every door that can carry them ----------------------------------

Carried = Callable[[Centre, int, str], Sequence[EightResult]]
_WITHOUT_CORRECTION, _ON_PAPER, _WITH_VALUES = EIGHT[:7], EIGHT[6:7], EIGHT[:6]


def carried_by(door: Door, results: Sequence[EightResult] = EIGHT) -> Carried:
    """As messages, or as what such a message says."""

    def carry(centre: Centre, port: int, identity: str) -> Sequence[EightResult]:
        with door(centre, port) as send:
            for data in messages_of(identity, results):
                send(data)
        return results

    return carry


def on_the_page(centre: Centre, port: int, identity: str) -> Sequence[EightResult]:
    with centre.open() as adapter, at_the_page(adapter) as clerk:
        clerk.send(KEY, "accept")
        answer = clerk.send(KEY, "findings", form_of(_WITHOUT_CORRECTION), pdf=DOCUMENT)
        assert answer.status_code == 303, answer.text
        fields = correction_of(clerk.page(KEY))
        assert clerk.send(KEY, "correct", fields).status_code == 303
    return EIGHT


def as_a_pdf(centre: Centre, port: int, identity: str) -> Sequence[EightResult]:
    with centre.open() as adapter:
        AddPdf(HOSPITAL, DOCUMENT, referral=KEY, is_final=True).perform(
            OperationContext(adapter, "test", now)
        )
    return _ON_PAPER


def in_a_folder(centre: Centre, port: int, identity: str) -> Sequence[EightResult]:
    path = centre.folder / "drop" / "results.xml"
    path.write_bytes(xml_of(identity, _WITH_VALUES))
    os.utime(path, (time.time() - 60,) * 2)
    with centre.open() as adapter:
        assert pick_up(FileReception(adapter, now), HOSPITAL).taken == 1
    return _WITH_VALUES


def by_https(centre: Centre, port: int, identity: str) -> Sequence[EightResult]:
    with calling(centre) as client:
        data, headers = xml_of(identity, _WITH_VALUES), {"Content-Type": "application/xml"}
        answer = client.post("/national-xml", content=data, headers=headers)
        assert answer.status_code == 200, answer.text
    return _WITH_VALUES


def record_after(
    folder: Path, url: str, carry: Carried
) -> tuple[list[bytes], ReferralState, Sequence[EightResult]]:
    """What the record says of the results, where the referral stands, and what came."""
    with doors_centre(folder, url) as (centre, port, identity):
        carried = carry(centre, port, identity)
        with centre.open() as adapter:
            process_inbox(adapter, now)
            waiting = [one.type for one in adapter.inbox.items("unmatched")]
            assert set(waiting) <= {"Encounter"}, "of a visit there a person reads"
            return said_of(adapter), state_of(adapter, KEY), carried


DOORS: dict[str, Carried] = {
    "mllp": carried_by(by_mllp),
    "hl7v2-http": carried_by(by_hl7v2_over_http),
    "webhook": carried_by(by_webhook),
    "search": carried_by(by_search),
    "history": carried_by(by_history),
    "page": on_the_page,
    "pdf": as_a_pdf,
    "xml-folder": in_a_folder,
    "xml-https": by_https,
}


@pytest.mark.parametrize("door", DOORS)
def test_the_same_eight_results_through_every_door(tmp_path: Path, database_url: str, door: str) -> None:
    """Those that the door can carry: the same is said of them as where a FHIR client sends them."""
    said, state, carried = record_after(tmp_path / "door", database_url, DOORS[door])
    rest = f"sqlite:///{tmp_path / 'rest.db'}"
    expected, there, _ = record_after(tmp_path / "rest", rest, carried_by(by_fhir, carried))
    assert (said, state) == (expected, there)
    assert (len(said), state) == (len({one.number for one in carried}), ReferralState.COMPLETED)
