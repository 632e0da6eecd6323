"""A centre in a folder: settings, a key, a database, records, and the commands that work on them."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapter.demo.hospital import HospitalView
from adapter.demo.processes import free_port, until
from adapter.ledger.server_cards.card import ServerCard
from adapter.pipeline.application import Adapter
from adapter.settings import Settings, load_settings
from adapter.testing.commands import Commands
from adapter.testing.hospital_process import sandbox_arguments
from adapter.testing.server_cards import CAPABLE_SERVER

__all__ = ["HOSPITALS", "Centre"]

HOSPITALS: Mapping[str, Mapping[str, Any]] = {
    "bv-tinh": {"level": "provincial"},
    "bv-trung-uong": {"level": "central"},
}
"""Those that the sample records refer to."""

_KEY = "0123456789abcdef" * 4
_SETTINGS = {"identity_key": "file:identity.key", "patience_seconds": 3, "lease_seconds": 10}


class Centre(Commands):
    """Runs `adapter …` in `folder`, which is made if need be.

    `hospitals` has the settings of each by its name; one without a `base_url` gets a port of this machine,
    where `start_hospital` starts a sandbox. `settings` are more settings, sections as mappings.
    `database_url` of SQLite or PostgreSQL; None: a SQLite file in the folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        hospitals: Mapping[str, Mapping[str, Any]] = HOSPITALS,
        database_url: str | None = None,
        settings: Mapping[str, Any] | None = None,
        port: int | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.settings_file = folder / "adapter.toml"
        super().__init__(folder, {"ADAPTER_CONFIG": str(self.settings_file)})
        self.port = port or free_port()
        self.ports = {name: free_port() for name, section in hospitals.items() if "base_url" not in section}
        general = _SETTINGS | {"listen_port": self.port} | dict(settings or {})
        if database_url:
            general["database_url"] = database_url
        sections = {name: self._hospital_settings(name, section) for name, section in hospitals.items()}
        self.settings_file.write_text(_toml({**general, "hospitals": sections}), "utf-8")
        key = folder / "identity.key"
        key.touch(mode=0o600)
        key.write_text(_KEY)

    def _hospital_settings(self, name: str, section: Mapping[str, Any]) -> dict[str, Any]:
        made = {"display": name, "level": "provincial", "timeout_seconds": 5}
        if name in self.ports:
            made["base_url"] = f"http://127.0.0.1:{self.ports[name]}/fhir"
        return made | dict(section)

    def settings(self) -> Settings:
        """The settings as its commands read them."""
        return load_settings(self.settings_file)

    def open(self) -> Adapter:
        """The same adapter in this process, for `with`: its stores, and all that the pipeline works on."""
        return Adapter.open(self.settings())

    def import_sample(self, *, cadres: int = 20, seed: int = 1) -> Path:
        """Import a year of wholly fictitious people; the workbook they came from."""
        from adapter.records.synthetic import write_workbook

        workbook = self.folder / "sample.xlsx"
        write_workbook(workbook, seed=seed, cadres=cadres)
        self.run("import", str(workbook))
        return workbook

    def put_server_cards(self, card: ServerCard = CAPABLE_SERVER) -> None:
        """Every hospital has this card, as after `adapter doctor`; without one all goes the slowest way."""
        with self.open() as adapter:
            for name in adapter.settings.hospitals:
                adapter.cards.put(name, card, datetime.now(UTC))

    def start_hospital(self, name: str, *options: str) -> HospitalView:
        """Start a sandbox under a hospital's name, with more options; a view of it once it answers."""
        data = self.folder / f"at-{name}"
        self.start(name, *sandbox_arguments(name, self.ports[name], data), *options)
        return self.hospital_view(name)

    def hospital_view(self, name: str) -> HospitalView:
        """A view of a sandbox under a hospital's name, once it answers; closed with the centre."""
        return self.view(name, f"http://127.0.0.1:{self.ports[name]}/fhir")

    def wait_until_matched(self, seconds: float = 30) -> None:
        """Until somebody, mostly `adapter serve`, has looked at all that was received: an answer says only
        that it is stored. AssertionError when that takes longer.
        """
        with self.open() as adapter:
            if not until(lambda: not adapter.inbox.counts()["new"], seconds, every=0.02):
                raise AssertionError("still not matched")

    def start_endpoint(self) -> str:
        """Start `adapter serve`; its base (…/fhir) once it answers. `stop("serve")` ends it."""
        self.start("serve", "serve")
        return self.view("serve", f"http://127.0.0.1:{self.port}/fhir").base_url


def _toml(settings: Mapping[str, Any]) -> str:
    return "\n".join(_lines(settings, ())) + "\n"


def _lines(settings: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """The values of a section, then its sections; what JSON writes of a value is TOML too."""
    if path:
        yield f"[{'.'.join(path)}]"
    for name, value in settings.items():
        if not isinstance(value, Mapping):
            yield f"{name} = {json.dumps(value, ensure_ascii=False)}"
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _lines(value, (*path, name))
