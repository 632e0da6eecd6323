"""The order of events of `adapter demo`."""

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from adapter.demo.checks import Check
from adapter.demo.expected import CENTRAL, HOSPITALS, PROVINCIAL, Expected, expect
from adapter.demo.hospital import HospitalView
from adapter.demo.inspection import inspect
from adapter.demo.other_doors import OtherDoors, settings_of
from adapter.demo.processes import Commands, free_port, until
from adapter.demo.spoiling import spoil
from adapter.errors import AdapterError, UsageError
from adapter.operations.starting_files import write_key
from adapter.texts import say, write_line

__all__ = ["Demo"]

_MARK = ".adapter-demo"
_FAULTS = ("503:0.02", "429:0.01:1", "slow:0.01:0.5s", "drop-after-commit:0.01")
_STEPS = 11
_START_SECONDS = 30.0
_SYNC_SECONDS = 150.0
_SYNCS = 5  # runs at most until all is delivered: each goes on where the one before stopped
_RESULTS_SECONDS = 120.0
_LINES = {
    PROVINCIAL: ("Bệnh viện Đa khoa tỉnh (diễn tập)", "provincial", "24001"),
    CENTRAL: ("Bệnh viện Trung ương (diễn tập)", "central", "01001"),
}
_SYSTEM = "https://cadre-health.example/fhir/sid/record"


@dataclass
class Demo:
    """One run in `folder`, which is removed and made anew. `sabotage` spoils something on purpose."""

    folder: Path
    seed: int = 1
    small: bool = False
    keep: bool = False
    sabotage: str | None = None
    _views: dict[str, HospitalView] = field(default_factory=dict)
    _step: int = 0
    _started: float = 0.0

    def run(self) -> bool:
        """All steps; True when the report is right and every check holds."""
        self._started = time.monotonic()
        self._make_folder()
        commands = Commands(self.folder / "adapter.toml", self.folder / "logs")
        left_running = False
        try:
            self._prepare(commands)
            expected = expect(self.workbook)
            self._start_services(commands)
            self._go_out(commands, expected)
            self._come_back(commands)
            self._nothing_new(commands)
            self._say("report")
            commands.run("report")
            checks = self._check(commands, expected)
            checks += self._other_doors(commands, expected)
            ok = all(check.holds for check in checks)
            write_line(say("demo.good" if ok else "demo.bad"))
            write_line(say("demo.took", seconds=round(time.monotonic() - self._started)))
            left_running = self.keep
            if left_running:
                self._say_where(commands)
        finally:
            for view in self._views.values():
                view.close()
            if not left_running:
                commands.stop()
        return ok

    @property
    def workbook(self) -> Path:
        """The sample year."""
        return self.folder / "year.xlsx"

    def _make_folder(self) -> None:
        if self.folder.exists():
            if any(self.folder.iterdir()) and not (self.folder / _MARK).exists():
                raise UsageError("demo.not_ours", path=str(self.folder))
            shutil.rmtree(self.folder)
        for part in ("", "data", "logs"):
            (self.folder / part).mkdir(mode=0o700, parents=True)
        (self.folder / _MARK).touch()

    def _say(self, step: str) -> None:
        self._step += 1
        minutes, seconds = divmod(round(time.monotonic() - self._started), 60)
        write_line(f"\n[{self._step}/{_STEPS}] {minutes}:{seconds:02} {say(f'demo.step_{step}')}")

    def _prepare(self, commands: Commands) -> None:
        self._say("sample")
        small = ("--small",) if self.small else ()
        commands.run("sample", str(self.workbook), "--seed", str(self.seed), *small)
        ports = {name: free_port() for name in (*HOSPITALS, "endpoint", "mllp")}
        self._endpoint = f"http://127.0.0.1:{ports['endpoint']}"
        self._mllp_port = ports["mllp"]
        sections = [
            f'[hospitals.{name}]\ndisplay = "{display}"\nlevel = "{level}"\nfacility_code = "{code}"\n'
            f'base_url = "http://127.0.0.1:{ports[name]}/fhir"\nconcurrency = 4\ntimeout_seconds = 10\n'
            f'token = "file:data/{name}.server-token"\n'
            f"[hospitals.{name}.systems]\n"
            'citizen_id = "http://fhir.ehealth.gov.vn/core/sid/citizen_id"\n'
            'insurance_number = "http://fhir.ehealth.gov.vn/core/sid/insurance_number"\n'
            for name, (display, level, code) in _LINES.items()
        ]
        general = f"listen_port = {ports['endpoint']}\nlease_seconds = 10\npatience_seconds = 20\n"
        general += f'public_url = "{self._endpoint}/fhir"\n'
        centre = f'[centre]\nidentifier_system = "{_SYSTEM}"\n'
        (self.folder / "adapter.toml").write_text(
            "\n".join((general, centre, *sections, settings_of(self._mllp_port))), "utf-8"
        )
        write_key(self.folder / "data" / "identity.key")
        for name in HOSPITALS:
            write_key(self.folder / "data" / f"{name}.server-token")
            base = f"http://127.0.0.1:{ports[name]}/fhir"
            token = (self.folder / "data" / f"{name}.server-token").read_text().strip()
            self._views[name] = HospitalView(name, base, token)

    def _start_services(self, commands: Commands) -> None:
        self._say("services")
        data = self.folder / "data"
        for name in HOSPITALS:
            token = data / f"{name}.push-token"
            token.touch(mode=0o600)
            token.write_text(commands.read("hospital", "token", name))
        commands.serve("endpoint", "serve")
        for name, view in self._views.items():
            faults = [word for fault in _FAULTS for word in ("--fault", fault)]
            arguments = ["--name", name, "--port", str(view.port), "--data", str(self.folder / name)]
            tokens = [
                "--token",
                f"file:{data / name}.server-token",
                "--push-token",
                f"file:{data / name}.push-token",
            ]
            doctor = ["--doctor", "--push-to", f"{self._endpoint}/fhir"]
            commands.serve(name, "sandbox", *arguments, *tokens, *doctor, *faults, "--seed", str(self.seed))
        for view in self._views.values():
            if not until(view.is_up, _START_SECONDS):
                raise AdapterError("demo.not_up", name=view.name, log=str(self.folder / "logs"))

    def _go_out(self, commands: Commands, expected: Expected) -> None:
        self._say("import")
        commands.run("import", str(self.workbook))
        self._say("doctor")
        commands.run("doctor", may_fail=True)  # its findings are shown; faults may cost it one
        before = self._written()
        self._say("sync")
        worker = commands.start("sync")
        half = sum(map(sum, (types.values() for types in expected.types.values()))) // 2
        if until(
            lambda: self._written() - before >= half or worker.poll() is not None, _SYNC_SECONDS, every=1.0
        ):
            worker.kill()
        worker.wait()
        write_line(say("demo.killed", written=self._written() - before, all=2 * half))
        self._say("resume")
        for _ in range(_SYNCS):
            if commands.run("sync", may_fail=True) == 0:
                return
        raise AdapterError("demo.not_delivered")

    def _written(self) -> int:
        return sum(view.stats()["entries_written"]["total"] for view in self._views.values())

    def _come_back(self, commands: Commands) -> None:
        """Wait until every referral that reached a hospital has its answer in the local record."""
        self._say("results")
        wanted = sum(view.count("ServiceRequest") for view in self._views.values())

        def all_back() -> bool:
            commands.check_alive()
            levels = orjson.loads(commands.read("report", "--json"))["referrals"].values()
            return bool(sum(level["completed"] for level in levels) >= wanted)

        if not until(all_back, _RESULTS_SECONDS, every=2.0):
            write_line(say("demo.results_missing", wanted=wanted))
        commands.run("inbox")

    def _nothing_new(self, commands: Commands) -> None:
        self._say("again")
        before = {name: view.stats()["write_requests"] for name, view in self._views.items()}
        commands.run("sync")
        after = {name: view.stats()["write_requests"] for name, view in self._views.items()}
        self._second_writes = sum(after.values()) - sum(before.values())
        write_line(say("demo.writes_again", count=self._second_writes))
        commands.run("status")

    def _check(self, commands: Commands, expected: Expected) -> list[Check]:
        self._say("check")
        if self.sabotage:
            spoil(self.sabotage, self._views[PROVINCIAL], expected, _SYSTEM)
        report = orjson.loads(commands.read("report", "--json"))
        checks = [
            Check(say("demo.check_again"), self._second_writes == 0, str(self._second_writes)),
            *inspect(
                self.folder,
                list(self._views.values()),
                expected,
                report,
                system=_SYSTEM,
                workbook=self.workbook,
            ),
        ]
        return _shown(checks)

    def _other_doors(self, commands: Commands, expected: Expected) -> list[Check]:
        self._say("doors")
        return _shown(OtherDoors(commands, self.folder, expected.unreferred, self._mllp_port).run())

    def _say_where(self, commands: Commands) -> None:
        write_line(say("demo.kept", endpoint=f"{self._endpoint}/fhir", folder=str(self.folder)))
        for view in self._views.values():
            write_line(f"  {view.name}: {view.base_url}")
        pids = " ".join(map(str, commands.release()))
        write_line(say("demo.kept_stop", pids=pids, settings=str(self.folder / "adapter.toml")))


def _shown(checks: list[Check]) -> list[Check]:
    for check in checks:
        write_line(f"  {'✓' if check.holds else '✗'} {check.title}: {check.detail}")
    return checks
