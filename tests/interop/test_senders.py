"""Other people's senders of HL7 v2 at the listener of `adapter serve`, as they are."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hl7v2_centre import PATIENT, centre_with_mllp, counted, message, referral, report_message
from interop.fetch import JAVA_SENDERS, NODE_SENDERS, node

from adapter.referrals.lifecycle import ReferralState
from adapter.testing import Centre

SENDERS: dict[str, Sequence[str]] = {
    "hapi": ("java", "-cp", f"{JAVA_SENDERS / 'classes'}:@CLASSPATH@", "HapiSender"),
    "node-hl7-client": (node(), str(NODE_SENDERS / "send.mjs")),
    "python-hl7": (sys.executable, str(Path(__file__).parent / "senders" / "python_sender.py")),
}
pytestmark = pytest.mark.interop


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[tuple[Centre, int, str]]:
    with centre_with_mllp(tmp_path / "centre", f"sqlite:///{tmp_path / 'adapter.db'}") as found:
        found[0].start_endpoint()
        yield found


def sent(sender: str, port: int, folder: Path, *messages: str) -> list[str]:
    """What the sender says of the answers: MSA-1 and MSA-2 of each."""
    files = []
    for number, text in enumerate(messages):
        files.append(folder / f"{number}.hl7")
        files[-1].write_bytes(text.encode())
    classpath = (JAVA_SENDERS / "classpath").read_text().strip() if sender == "hapi" else ""
    command = [part.replace("@CLASSPATH@", classpath) for part in SENDERS[sender]]
    done = subprocess.run(
        [*command, str(port), *map(str, files)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.strip()]


@pytest.mark.parametrize("sender", SENDERS)
def test_a_sender_sends_again_corrects_and_is_refused(
    sender: str, centre: tuple[Centre, int, str], tmp_path: Path
) -> None:
    at, port, identity = centre
    result = report_message(identity, control_id="m1")
    answers = sent(
        sender,
        port,
        tmp_path,
        message("ORM^O01", PATIENT, f"ORC|OK|{identity}|BA-77", control_id="m0"),
        result,
        result,
        report_message(identity, control_id="m2", value="99", status="C"),
        message("ORU^R01", PATIENT, control_id="m3"),
        message("ADT^A01", PATIENT, control_id="m4"),
    )
    assert answers == ["AA m0", "AA m1", "AA m1", "AA m2", "AE m3", "AR m4"]
    at.wait_until_matched()
    with at.open() as adapter:
        assert counted(adapter) == {
            "inbox_item": 6,  # Patient, Task, Observation, report, and the two corrected
            "refused_request": 2,
            "repository_resource": 4,
            "repository_version": 2,
        }
        found = referral(adapter)
        assert (found.state, found.hospital_number) == (ReferralState.COMPLETED, "BA-77")
