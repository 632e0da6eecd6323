"""A hospital subscribes to its referrals, with real processes: whatever is killed, it is told of each."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from hook_receiver import events, said
from subscription_centre import subscription

from adapter.ledger.schema.states import EntryState
from adapter.testing import HOSPITALS, Centre, until
from adapter.testing.serving import listening

RECEIVER = Path(__file__).parents[1] / "hook_receiver.py"


class Receiver:
    """The hospital's own server, as a process that is killed and comes again."""

    def __init__(self, folder: Path) -> None:
        with listening() as taken:
            self.port = int(taken.getsockname()[1])
        self.file = folder / "notifications.jsonl"
        self.file.touch()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, str(RECEIVER), str(self.port), str(self.file)])
        assert until(self._answers, 20)

    def _answers(self) -> bool:
        with suppress(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{self.port}")
            return True
        return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def bundles(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.file.read_text("utf-8").splitlines()]

    def numbers(self) -> list[int]:
        return [number for one in self.bundles() for number, _ in events(one)]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    receiver = Receiver(tmp_path)
    yield receiver
    receiver.kill()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_each_referral_is_told_whatever_is_killed(
    database: str, tmp_path: Path, receiver: Receiver, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else None
    host = f"http://127.0.0.1:{receiver.port}"
    section = {"schedule": "*/2 * * * * *", "subscription_hosts": [host]}
    hospitals = {**HOSPITALS, "bv-tinh": {**HOSPITALS["bv-tinh"], **section}}
    centre = Centre(tmp_path / "centre", hospitals=hospitals, database_url=url)
    public = f"http://127.0.0.1:{centre.port}/fhir"
    text = centre.settings_file.read_text("utf-8")
    centre.settings_file.write_text(f'public_url = "{public}"\n{text}', "utf-8")
    try:
        centre.put_server_cards()
        view = centre.start_hospital("bv-tinh")
        base = centre.start_endpoint()
        receiver.start()
        token = centre.run("hospital", "token", "bv-tinh").strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
        with httpx.Client(base_url=base, headers=headers, timeout=20) as client:
            topic = f"{public}/SubscriptionTopic/referral-change"
            wanted = subscription(criteria=topic, channel={"endpoint": f"{host}/changes"})
            made = client.post("/Subscription", json=wanted)
            assert made.status_code == 201, made.text
            there = f"/Subscription/{made.json()['id']}"
            centre.start("worker", "worker")
            assert until(lambda: client.get(there).json()["status"] == "active", 60)
            centre.import_sample(cadres=60)
            assert until(lambda: bool(receiver.numbers()), 90)
            centre.stop("worker", signal.SIGKILL)  # in the middle of whatever it is at
            receiver.kill()
            centre.start("worker", "worker")
            assert until(lambda: _is_sent(centre), 120)
            assert client.get(there).json()["status"] == "active"
            receiver.start()
            centre.stop("worker", signal.SIGKILL)
            centre.stop("serve", signal.SIGKILL)
            centre.start_endpoint()
            centre.start("worker", "worker")
            sent = {
                f"{view.base_url}/{kind}/{one['id']}"
                for kind in ("ServiceRequest", "Task")
                for one in view.all(kind)
            }
            assert until(lambda: sent <= _foci(receiver), 180), (len(sent), len(_foci(receiver)))
            centre.stop("worker")
            state = client.get(f"{there}/$status").json()["entry"][0]["resource"]["parameter"]
            read = client.get(f"{there}/$events").json()
        assert _foci(receiver) == sent
        numbers = receiver.numbers()
        assert set(numbers) == set(range(1, max(numbers) + 1))
        by_number = {number: focus for one in receiver.bundles() for number, focus in events(one)}
        told = [(number, focus) for one in receiver.bundles() for number, focus in events(one)]
        assert all(by_number[number] == focus for number, focus in told)  # a number means one thing
        assert {one["name"]: one for one in state}["events-since-subscription-start"]["valueString"] == str(
            max(numbers)
        )
        assert dict(events(read)) == by_number
        assert said(receiver.bundles()[0])["type"] == "handshake"
        logs = "".join(path.read_text("utf-8") for path in centre.folder.glob("*.log"))
        assert "khong-ai-duoc-thay" not in logs
        assert "/changes" not in logs
    finally:
        centre.close()


def _foci(receiver: Receiver) -> set[str | None]:
    return {focus for one in receiver.bundles() for _, focus in events(one)}


def _is_sent(centre: Centre) -> bool:
    with centre.open() as adapter:
        counts = adapter.ledger.counts("bv-tinh")
    return bool(counts) and counts.keys() <= {EntryState.DELIVERED, EntryState.PARKED}
