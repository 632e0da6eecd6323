"""A policy slip, a fill-down slip and their way on, as a person meets them at the command line."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sample import ROOT

from adapter.demo.hospital import HospitalView
from adapter.testing import Centre
from adapter.testing.workbooks import Row, with_cells

NAME = "bv-tinh"


class Site:
    """A centre whose policy may be edited, and its hospital: a sandbox."""

    def __init__(self, centre: Centre, workbook: Path, hospital: HospitalView) -> None:
        self.centre = centre
        self.workbook = workbook
        self.hospital = hospital

    def policy(self, old: str, new: str) -> None:
        file = self.centre.folder / "mappings" / "disclosure.yaml"
        before = file.read_text("utf-8")
        assert old in before
        file.write_text(before.replace(old, new), "utf-8")

    def sync(self, *options: str) -> tuple[int, str]:
        """The exit code, and what it said."""
        done = self.centre.attempt("sync", NAME, *options)
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    def names(self) -> dict[str, str]:
        """What the hospital's patients are called, by id."""
        return {one["id"]: one["name"][0].get("text", "") for one in self.hospital.all("Patient")}

    def writes(self) -> int:
        return int(self.hospital.stats()["write_requests"])

    def diff(self) -> Any:
        return json.loads(self.centre.attempt("mapping", "diff", NAME, "--json").stdout)[NAME]["disclosure"]

    def problems(self) -> list[str]:
        return [
            one["code"] for one in json.loads(self.centre.attempt("status", "--problems", "--json").stdout)
        ]

    def tiers(self, tier: str | None) -> None:
        """Import a workbook whose column of tiers was filled down, T0 rows apart; None: the right one."""

        def fill(_sheet: str, row: Row) -> bool:
            if tier is not None and str(row.get("Diện quản lý", "T0")) != "T0":
                row["Diện quản lý"] = tier
            return True

        self.centre.run("import", str(with_cells(self.workbook, self.centre.folder / "again.xlsx", fill)))


@pytest.fixture
def site(tmp_path: Path, brief: Path) -> Iterator[Site]:
    """All is delivered."""
    centre = Centre(tmp_path, settings={"mappings": "mappings"})
    shutil.copytree(ROOT / "mappings", tmp_path / "mappings")
    hospital = centre.start_hospital(NAME)
    shutil.copy(brief, tmp_path / "year.xlsx")
    centre.run("import", str(tmp_path / "year.xlsx"))
    centre.put_server_cards()
    centre.run("sync", NAME)
    yield Site(centre, tmp_path / "year.xlsx", hospital)
    centre.close()


def test_a_policy_slip_asks_first_and_is_taken_back_by_the_right_line(site: Site) -> None:
    before, writes = site.names(), site.writes()
    site.policy("  T5: full", "  T5: hold")
    assert site.diff()["needs_accepting"]
    code, said = site.sync()
    assert code == 1
    assert f"adapter mapping diff {NAME}" in said
    assert f"adapter sync {NAME} --accept" in said
    assert (site.names(), site.writes()) == (before, writes)
    assert "disclosures" in site.problems()
    for lang, word in (("en", "would be taken back"), ("vi", "thu hồi")):
        for command in ("status", "plan", "mapping diff"):
            done = (
                site.centre.attempt("--lang", lang, *command.split(), NAME)
                if command != "status"
                else (site.centre.attempt("--lang", lang, command))
            )
            assert word in " ".join(done.stdout.split()), command

    site.policy("  T5: hold", "  T5: full")
    assert site.sync()[0] == 0
    assert "disclosures" not in site.problems()
    assert (site.names(), site.writes()) == (before, writes)

    site.policy("  T5: full", "  T5: hold")
    assert site.sync("--accept")[0] == 0
    after = site.names()
    assert 0 < len(after) <= len(before) - 6
    assert not site.diff()["needs_accepting"]

    site.policy("  T5: hold", "  T5: full")  # what comes back is a disclosure
    code, said = site.sync()
    assert code == 1
    assert "would newly go" in said
    assert site.names() == after
    assert site.sync("--accept")[0] == 0
    assert sorted(site.names().values()) == sorted(before.values())


@pytest.mark.parametrize("tier", ["T1", "T3", "T5"])
def test_a_column_that_was_filled_down_asks_first_and_is_put_right_by_the_right_workbook(
    site: Site, tier: str
) -> None:
    before, writes = site.names(), site.writes()
    site.tiers(tier)
    code, said = site.sync()
    assert (site.names(), site.writes()) == (before, writes)
    assert (code, "--accept" in said) == (1, True)
    site.tiers(None)
    assert site.sync()[0] == 0
    assert (site.names(), site.writes()) == (before, writes)
