"""A mapping that breaks, grows and vanishes under real processes that stay up."""

import json
import shutil
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sample import SMALL

from adapter.insights.insights import Insights
from adapter.testing import Centre, until

_EACH_SECOND = '\nschedule = "* * * * * *"'
_NAMES = ("bv-tinh", "bv-trung-uong")


class Site:
    """A centre whose mappings may be edited while `adapter schedule` and `adapter serve` run."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self.mappings = centre.folder / "mappings"
        shutil.copytree(Path(__file__).parents[2] / "mappings", self.mappings)
        settings = centre.folder / "adapter.toml"
        text = 'mappings = "mappings"\nmax_resend_percent = 1\n' + settings.read_text("utf-8")
        for name in _NAMES:
            text = text.replace(f"[hospitals.{name}]", f"[hospitals.{name}]{_EACH_SECOND}")
        settings.write_text(text, "utf-8")
        self.views = {name: centre.start_hospital(name) for name in _NAMES}
        centre.run("import", str(SMALL))
        centre.run("sync")

    def edit(self, file: str, old: str, new: str) -> Callable[[], None]:
        """Change a file; what is returned puts it back."""
        path = self.mappings / file
        before = path.read_text("utf-8")
        assert old in before
        path.write_text(before.replace(old, new), "utf-8")
        return lambda: path.write_text(before, "utf-8") and None

    def why(self, name: str) -> str | None:
        """As `adapter status` tells it: looked at here, since who waits looks often."""
        with self.centre.open() as adapter:
            lines = Insights(adapter, "test", lambda: datetime.now(UTC)).status()
        kept = next(one for one in lines if one.hospital == name).mapping_kept
        return kept.why if kept else None

    def is_kept(self, name: str, why: str | None) -> bool:
        return until(lambda: self.why(name) == why, 40)

    def writes(self, name: str) -> int:
        return int(self.views[name].stats()["write_requests"])

    def log(self, name: str) -> str:
        return (self.centre.folder / f"{name}.log").read_text("utf-8")

    def refused(self) -> str:
        """What a sync says that ends with 2; a beat of the schedule may have the hospital first."""
        said: list[str] = []

        def is_refused() -> bool:
            done = self.centre.attempt("sync")
            said.append(done.stderr)
            return done.returncode == 2

        assert until(is_refused, 60), said
        return said[-1]

    def with_language(self, name: str, type_: str) -> int:
        """How many resources of a type the hospital has in Vietnamese."""
        return sum(one.get("language") == "vi" for one in self.views[name].all(type_))


@pytest.fixture(params=["centre", "postgres_centre"])
def site(request: pytest.FixtureRequest) -> Site:
    return Site(request.getfixturevalue(request.param))


def test_services_go_on_with_the_last_good_mapping_and_find_the_repaired_one(site: Site) -> None:
    centre, name = site.centre, "bv-tinh"
    centre.start("schedule", "schedule")
    centre.start_endpoint()
    before = site.writes(name)

    repair = site.edit("observation.yaml", "body:", "body: [")
    assert site.is_kept(name, "broken")
    assert "mapping.kept" in site.log("schedule")
    centre.stop("serve")
    centre.start_endpoint()  # starts nevertheless, and says so
    assert "observation.yaml" in site.log("serve")
    assert "observation.yaml" in site.refused()
    repair()
    assert site.is_kept(name, None)

    undo = site.edit("observation.yaml", "body:", "body:\n  language: vi")
    assert site.is_kept(name, "unaccepted")
    for lang in ("en", "vi"):
        shown = centre.attempt("--lang", lang, "status").stdout
        assert f"adapter sync {name} --accept" in shown
    undo()
    assert site.is_kept(name, None)

    shutil.move(site.mappings, centre.folder / "away")
    assert until(lambda: "policy.broken" in site.log("schedule"), 30)
    assert "disclosure.yaml" in site.refused()
    shutil.move(centre.folder / "away", site.mappings)
    assert until(lambda: centre.attempt("sync").returncode == 0, 30)

    (site.mappings / "observation.yaml").unlink()
    assert until(lambda: site.why(name) in ("broken", "emptying"), 40)
    assert site.writes(name) == before
    assert centre.stop("schedule") == 0
    assert "Traceback" not in site.log("schedule") + site.log("serve")


def test_one_hospital_accepts_what_the_other_does_not(site: Site) -> None:
    centre = site.centre
    other = site.writes("bv-trung-uong")
    site.edit("observation.yaml", "body:", "body:\n  language: vi")
    assert centre.attempt("sync").returncode == 1
    centre.run("sync", "bv-tinh", "--accept")
    assert (site.why("bv-tinh"), site.why("bv-trung-uong")) == (None, "unaccepted")
    assert site.writes("bv-trung-uong") == other
    mine = site.writes("bv-tinh")
    (site.mappings / "hospitals").mkdir()
    overlay = 'hospital: bv-trung-uong\noverlays:\n  Patient:\n    language: "vi"\n'
    (site.mappings / "hospitals" / "bv-trung-uong.yaml").write_text(overlay, "utf-8")
    centre.run("sync", "bv-tinh")
    shown = json.loads(centre.attempt("mapping", "diff", "--json").stdout)
    assert shown["bv-tinh"]["change"] == 0
    assert shown["bv-trung-uong"]["change"] > 0
    assert site.writes("bv-tinh") == mine


def test_killed_while_it_sends_an_accepted_mapping_it_goes_on_where_it_was(site: Site) -> None:
    centre, name = site.centre, "bv-tinh"
    site.edit("observation.yaml", "body:", "body:\n  language: vi")
    total = site.views[name].count("Observation")
    for _ in range(2):
        before = site.writes(name)
        centre.start("sync", "sync", name, "--accept")
        assert until(lambda before=before: site.writes(name) > before, 60)
        centre.stop("sync", signal.SIGKILL)
    assert until(lambda: centre.attempt("sync", name).returncode == 0, 60)
    assert site.why(name) is None
    assert (site.views[name].count("Observation"), site.with_language(name, "Observation")) == (total, total)
