"""A hospital's server whose every string has what a terminal obeys: no command lets it through or breaks."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deviant import Deviant
from person_centre import SYSTEM, people, push

from adapter.cli import main
from adapter.database import open_database
from adapter.sandbox.app import SandboxHospital
from adapter.testing import Centre, serving
from adapter.texts import OBEYED, set_language

# Each sign that a terminal obeys, but of the half surrogate pairs and the tags two.
CODES = (*range(0x3000), 0xD800, 0xDFFF, *range(0xFFF0, 0x10000), 0xE0000, 0xE0041)
SIGNS = "".join(sign for sign in map(chr, CODES) if OBEYED.match(sign))
NOISE = f"| `x` <img src=x> [a](http://b)\n# OK: all is well\n\x1b]0;title\x07\x1b]52;c;aGk=\x07\r{SIGNS}"
WORDS = {"name", "version", "display", "text", "diagnostics", "title", "publisher", "description", "comment"}
WORDS |= {"fhirVersion", "versionId", "etag", "conclusion"}


class Hostile(Deviant):
    """`words`: what is for people; `all`: every string; `refuses`, `redirects`: each write is answered so."""

    manner = "words"

    def _refused(self, scope: Any, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
        if self.manner == "redirects":
            place = f"http://x\x9b31m.test/{chr(0x202E)}?t=1".encode()
            return 302, [(b"location", place), (b"x-said", b"\x9b31m")], b""
        if self.manner == "refuses" and scope["method"] != "GET":
            issue = {"severity": NOISE, "code": f"business-rule{NOISE}", "expression": [f"Patient{NOISE}"]}
            outcome = {"resourceType": "OperationOutcome", "issue": [{**issue, "diagnostics": f"no{NOISE}"}]}
            return 422, [(b"server", b"\x9b31m\x85")], json.dumps(outcome).encode()
        return None

    def _spoiled(
        self, scope: Any, headers: list[tuple[bytes, bytes]], content: bytes
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        answer = json.loads(content) if content else None
        spoiled = json.dumps(self._said(answer, "")).encode() if content else b""
        return [*headers, (b"server", b"\x9b31m\x85"), (b"x-powered-by", b"\x9b2J")], spoiled

    def _said(self, part: Any, name: str) -> Any:
        if isinstance(part, dict):
            return {key: self._said(one, key) for key, one in part.items()}
        if isinstance(part, list):
            return [self._said(one, name) for one in part]
        spoils = isinstance(part, str) and (self.manner == "all" or name in WORDS)
        return f"{part}{NOISE}" if spoils else part


STORED = re.sub(r"[\ud800-\udfff]", "", NOISE)  # half surrogate pairs never are
REPORT = {
    "resourceType": "DiagnosticReport",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3", "display": STORED}], "text": STORED},
    "issued": "2026-11-02T09:40:00+07:00",
    "conclusion": f"a{STORED}",
    "performer": [{"display": STORED}],
    "result": [{"reference": "Observation/observation-1", "display": STORED}],
}
OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": f"Kali{STORED}"},
    "issued": "2026-11-02T09:40:00+07:00",
    "valueString": f"7{STORED}",
    "note": [{"text": STORED}],
    "interpretation": [{"text": STORED}],
}


class Site:
    """A centre whose hospital is hostile, and what its commands wrote."""

    def __init__(self, centre: Centre, hostile: Hostile, capsys: pytest.CaptureFixture[str]) -> None:
        self.centre, self.hostile, self.capsys = centre, hostile, capsys

    def run(self, *arguments: str) -> str:
        """A command, which ends by itself; what it wrote, of which nothing moves a terminal."""
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--config", str(self.centre.settings_file)])
        done = self.capsys.readouterr()
        said = done.out + done.err
        assert ended.value.code in (0, 1, 2), (arguments, said)
        assert not OBEYED.search(said), (arguments, OBEYED.findall(said))
        return said


@pytest.fixture
def site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    monkeypatch.delenv("ADAPTER_LANG", raising=False)
    store = open_database(f"sqlite:///{tmp_path / 'hospital.db'}")
    hostile = Hostile(SandboxHospital(store, "bv-tinh").app)
    with serving(hostile) as url:
        hospitals = {
            "bv-tinh": {
                "base_url": f"{url}/fhir",
                "systems": {"citizen_id": SYSTEM},
                "requests_per_second": 500,
            }
        }
        hospitals["bv-trung-uong"] = {"base_url": f"{url}/fhir"}
        patience = {"patience_seconds": 0.1}
        with Centre(tmp_path / "centre", hospitals=hospitals, settings=patience) as centre:
            centre.import_sample(cadres=6)
            yield Site(centre, hostile, capsys)
    store.dispose()
    set_language("en")


def test_the_signs_are_all_there() -> None:
    assert len(SIGNS) > 90
    assert {"\x1b", "\x9b", "\r", "\u202e", "\u2066", "\ud800", "\U000e0041"} <= set(SIGNS)


@pytest.mark.parametrize("manner", ["words", "all", "refuses", "redirects"])
def test_no_command_lets_through_what_a_server_says(site: Site, manner: str) -> None:
    site.hostile.manner = manner
    page = site.run("doctor", "bv-tinh", "--markdown")
    assert "# OK: all is well" not in page.splitlines()
    assert "<img" not in page.replace("\\<img", "")
    if manner == "words":
        assert "\\<img src=x\\>" in page
        assert "\\[a\\](http" in page
    else:
        site.centre.put_server_cards()
    with site.centre.open() as adapter:
        key = people(adapter)[0].key
    repair = [] if manner == "words" else [["reconcile", "bv-tinh", "--repair", "--yes"]]  # much to put right
    for command in (
        ["doctor", "bv-tinh", "--show"],
        ["doctor", "bv-tinh", "--show", "--json"],
        ["plan", "bv-tinh"],
        ["sync", "bv-tinh", "--accept"],
        ["status"],
        ["status", "--json"],
        ["status", "--problems"],
        ["parked"],
        ["parked", "--json"],
        ["reconcile", "bv-tinh"],
        *repair,
        ["hospital", "show", "bv-tinh"],
        ["hospital", "withdrawals", "bv-tinh"],
        ["release", "--all", "--yes"],
        ["alarm"],
        ["explain", key],
        ["explain", "Patient", key],
    ):
        site.run(*command)


def test_no_command_lets_through_what_a_result_says(site: Site, tmp_path: Path) -> None:
    with site.centre.open() as adapter:
        first = people(adapter)[0]
        push(adapter, first, REPORT, OBSERVATION)
        stranger = {"subject": {"display": STORED, "identifier": {"system": STORED, "value": STORED}}}
        push(adapter, first, {**REPORT, **stranger, "id": "other"})
        items = (
            [str(one.id) for one in adapter.inbox.list()] if hasattr(adapter.inbox, "list") else ["1", "2"]
        )
    for command in (
        ["inbox", "--state", "all"],
        ["inbox", "--state", "all", "--json"],
        *(["inbox", "show", item] for item in items),
        *(["inbox", "show", item, "--json"] for item in items),
        ["inbox", "link", items[-1], first.key, "--despite"],
        ["inbox", "unanswered"],
        ["cadre", "show", first.key],
        ["cadre", "show", first.key, "--json"],
        ["cadre", "show", STORED],
        ["cadre", "show", NOISE],
        ["terminology", "gaps"],
        ["explain", first.key],
        ["report"],
        ["export", str(tmp_path / "out")],
        ["status", "--problems"],
    ):
        site.run(*command)
