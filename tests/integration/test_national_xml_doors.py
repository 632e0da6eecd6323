"""What the insurer's XML can say makes the records that the same makes through the REST API."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from endpoint_centre import calling
from hl7v2_centre import HOSPITAL, referral, results
from national_xml_centre import IDENTITY, centre_with_folder, with_identity

from adapter.fhir import codec
from adapter.pipeline.inbound.dropped_files import pick_up
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.inbound.national_xml_reception import FileReception
from adapter.referrals.lifecycle import ReferralState
from adapter.testing import Centre

FOLDER = Path(__file__).parents[2] / "fixtures" / "national_xml"
RESULTS = ("chemistry", "panel-of-values", "microbiology", "imaging", "discharge", "transfer", "checkup")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}")
Send = Callable[[str], None]


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def by_folder(centre: Centre, folder: Path, identity: str) -> Iterator[Send]:
    with centre.open() as adapter:

        def send(name: str) -> None:
            path = folder / f"{name}.xml"
            path.write_bytes(with_identity((FOLDER / path.name).read_bytes(), identity))
            os.utime(path, (time.time() - 60,) * 2)
            assert pick_up(FileReception(adapter, now), HOSPITAL).taken == 1

        yield send


@contextmanager
def by_https(centre: Centre, folder: Path, identity: str) -> Iterator[Send]:
    with calling(centre) as client:

        def send(name: str) -> None:
            data = with_identity((FOLDER / f"{name}.xml").read_bytes(), identity)
            answer = client.post("/national-xml", content=data, headers={"Content-Type": "application/xml"})
            assert answer.status_code == 200, answer.text

        yield send


@contextmanager
def by_fhir(centre: Centre, folder: Path, identity: str) -> Iterator[Send]:
    """The transaction that stands beside the file, as a hospital with a FHIR server would send it."""
    with calling(centre) as client:

        def send(name: str) -> None:
            data = (FOLDER / f"{name}.json").read_bytes().replace(IDENTITY.encode(), identity.encode())
            answer = client.post("/fhir", content=data)
            assert answer.status_code == 200, answer.text

        yield send


Door = Callable[[Centre, Path, str], AbstractContextManager[Send]]


def records_after(folder: Path, url: str, door: Door) -> tuple[list[bytes], ReferralState]:
    """All results as they are stored, but for the ids that the endpoint gave and when it did."""
    with centre_with_folder(folder, url) as (centre, drop, identity):
        with door(centre, drop, identity) as send:
            for name in RESULTS:
                send(name)
        with centre.open() as adapter:
            process_inbox(adapter, now)
            found = sorted(
                (
                    codec.loads(one.resource)["identifier"][0]["value"],
                    one.model_dump(mode="json", exclude={"key"}),
                )
                for one in results(adapter)
            )
            return [_plain(codec.dumps(one).decode()) for _, one in found], referral(adapter).state


def _plain(text: str) -> bytes:
    known: dict[str, str] = {}
    text = re.sub(r'(\\\\?"lastUpdated\\\\?":\\\\?")[^"\\\\]+', r"\1", text)
    return _ID.sub(lambda one: known.setdefault(one[0], f"id-{len(known)}"), text).encode()


@pytest.mark.parametrize("door", [by_folder, by_https])
def test_results_and_papers_make_the_records_that_they_make_through_the_rest_api(
    tmp_path: Path, database_url: str, door: Door
) -> None:
    expected = records_after(tmp_path / "fhir", f"sqlite:///{tmp_path / 'fhir.db'}", by_fhir)
    assert records_after(tmp_path / "other", database_url, door) == expected
    assert (len(expected[0]) > 20, expected[1]) == (True, ReferralState.COMPLETED)
