"""The same results through every door: the same records, and the same state of the referral."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from endpoint_centre import HOME, calling
from hl7v2_centre import HOSPITAL, MllpSender, centre_with_mllp, field, referral, results
from webhook_centre import plain_document, with_webhook

from adapter.database import open_database
from adapter.fhir import codec
from adapter.hl7v2.conversion import convert_message
from adapter.hl7v2.message import parse_header, parse_message
from adapter.hl7v2.sender import SenderConventions
from adapter.mllp.listener import MllpListener
from adapter.operations.poll import poll_and_match
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.hl7v2_reception import MessageReception
from adapter.pipeline.inbound.inbox import process_inbox
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
