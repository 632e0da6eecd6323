"""Several workers on one ledger, as processes: restarted one after another, killed, stopped and woken."""

import signal
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from sample import SMALL

from adapter.insights.insights import Insights
from adapter.insights.status import HospitalStatus
from adapter.testing import HOSPITALS, Centre, until
from adapter.testing.commands import execute

_OFTEN = 'schedule = "*/2 * * * * *"'
_TYPES = ("Patient", "Encounter", "Observation", "ServiceRequest", "CarePlan")


class Site:
    """A centre with slow hospitals, whose workers plan every other second."""

    def __init__(self, centre: Centre, *, lease_seconds: int) -> None:
        self.centre = centre
        settings = centre.folder / "adapter.toml"
        text = settings.read_text("utf-8").replace("lease_seconds = 10", f"lease_seconds = {lease_seconds}")
        for name in HOSPITALS:
            text = text.replace(f"[hospitals.{name}]", f"[hospitals.{name}]\n{_OFTEN}\nconcurrency = 4")
        settings.write_text(text, "utf-8")
        self.views = {name: centre.start_hospital(name, "--fault", "slow:1:0.1") for name in HOSPITALS}
        centre.run("import", str(SMALL))
        plan = centre.run_json("plan")
        self.desired = sum(counts["create"] for one in plan.values() for counts in one["types"].values())
        assert self.desired > 1000

    def status(self) -> Sequence[HospitalStatus]:
        """As `adapter status` tells it: looked at here, since who waits looks often."""
        with self.centre.open() as adapter:
            return Insights(adapter, "test", lambda: datetime.now(UTC)).status()

    def delivered(self) -> int:
        return sum(line.delivered for line in self.status())

    def is_planned(self) -> bool:
        """All of it, and some is delivered: who is stopped now holds shipments, and no plan."""
        lines = self.status()
        desired, delivered = (sum(getattr(one, what) for one in lines) for what in ("desired", "delivered"))
        return desired == self.desired and delivered > 0

    def is_done(self) -> bool:
        lines = self.status()
        settled = all(line.delivered == line.desired and not line.unknown for line in lines)
        return settled and sum(line.desired for line in lines) == self.desired

    def workers(self) -> list[int]:
        with self.centre.open() as adapter:
            return [one.pid for one in adapter.ledger.workers.all()]

    def works(self, *names: str) -> None:
        for name in names:
            start_by_its_path(self.centre, name, "worker")
        assert until(lambda: len(self.workers()) == len(self.running()), 60), self.logs()

    def running(self) -> list[str]:
        return [name for name in self.centre.processes if name.startswith("worker")]

    def logs(self) -> str:
        return "".join(path.read_text("utf-8")[-4000:] for path in self.centre.folder.glob("worker*.log"))

    def has_no_duplicates(self) -> None:
        for view in self.views.values():
            held = Counter((kind, one["identifier"][0]["value"]) for kind in _TYPES for one in view.all(kind))
            assert held
            assert held.most_common(1)[0][1] == 1


def start_by_its_path(centre: Centre, name: str, *arguments: str) -> None:
    """As a person does: what is tested is how workers start, stop and hang."""
    forks, centre.launch = centre.launch, execute
    centre.start(name, *arguments)
    centre.launch = forks


@pytest.fixture(params=["centre", "postgres_centre"])
def any_centre(request: pytest.FixtureRequest) -> Centre:
    centre: Centre = request.getfixturevalue(request.param)
    return centre


def test_workers_are_restarted_one_after_another_while_the_load_goes_on(any_centre: Centre) -> None:
    site = Site(any_centre, lease_seconds=600)
    site.works("worker-1", "worker-2")
    assert until(lambda: site.delivered() > 0, 60), site.logs()
    for number in (1, 2):
        assert any_centre.stop(f"worker-{number}") == 0, site.logs()
        site.works(f"worker-{number + 2}")
    assert until(site.is_done, 120), (site.status(), site.logs())
    site.has_no_duplicates()
    for name in site.running():
        assert any_centre.stop(name) == 0
    assert any_centre.run_json("status", "--workers") == []
    assert "Traceback" not in site.logs()


def test_what_a_killed_worker_had_under_way_goes_on_at_once(any_centre: Centre) -> None:
    site = Site(any_centre, lease_seconds=600)
    site.works("worker-1", "worker-2")
    assert until(lambda: site.delivered() > 0, 60), site.logs()
    any_centre.stop("worker-1", signal.SIGKILL)
    assert until(lambda: len(site.workers()) == 1, 30), site.logs()
    assert until(site.is_done, 120), (site.status(), site.logs())  # far sooner than the lease ends
    site.has_no_duplicates()


def test_a_worker_that_hangs_longer_than_its_lease_is_replaced_and_does_no_harm_later(
    postgres_centre: Centre,
) -> None:
    site = Site(postgres_centre, lease_seconds=10)
    site.works("worker-1", "worker-2")
    assert until(site.is_planned, 60, every=0.02), site.logs()
    hung = postgres_centre.processes["worker-1"]
    hung.send_signal(signal.SIGSTOP)
    assert until(site.is_done, 180), (site.status(), site.logs())  # its shipments too
    requests = {name: view.stats()["write_requests"] for name, view in site.views.items()}
    hung.send_signal(signal.SIGCONT)
    assert until(lambda: len(site.workers()) == 2, 30)  # it has noticed that it was forgotten
    assert site.is_done()
    assert {name: view.stats()["write_requests"] for name, view in site.views.items()} == requests
    site.has_no_duplicates()
    assert postgres_centre.stop("worker-1") == 0, site.logs()
