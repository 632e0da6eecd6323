"""Every duty has the same skeleton; found by looking, so that a new one that differs fails here."""

import importlib
import inspect
import pkgutil
import threading
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from adapter import duties
from adapter.duties.duty import Duty
from adapter.duties.inbox_matching import MatchInbox
from adapter.duties.planning import PlanHospital
from adapter.duties.retention import ForgetExpired
from adapter.duties.schedule import next_run
from adapter.duties.services import schedule_duties, worker_duties
from adapter.duties.syncing import SyncHospital
from adapter.pipeline.application import Adapter
from adapter.settings import HospitalSettings, Settings, SourceSettings
from adapter.settings.national_xml import NationalXmlSettings
from adapter.settings.pdf import PdfFolderSettings
from adapter.settings.poll import PollSettings

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
FRAME = {"duty", "schedule", "services"}  # the skeleton, the loop, and who has which duties
MEMBERS = {"name", "cron", "run"}
PARTS = {MatchInbox, ForgetExpired}  # of the beat that plans
ROOM = {module.name for module in pkgutil.iter_modules(duties.__path__)} - FRAME


def classes(module: str) -> list[type]:
    room = importlib.import_module(f"adapter.duties.{module}")
    found = [one for _, one in inspect.getmembers(room, inspect.isclass)]
    return [one for one in found if one.__module__ == room.__name__]


DUTIES = {found[0] for module in ROOM if (found := classes(module))}


@pytest.fixture
def adapter(tmp_path: Path) -> Adapter:
    """Two hospitals, one of them never measured, told or read, nor with a folder, and a source of the other's
    name.
    """
    known = {
        name: HospitalSettings(
            name=name,
            display=name,
            level="provincial",
            base_url="https://h.test/fhir",
            doctor_schedule=cron,
            subscription_hosts=hosts,
            national_xml=NationalXmlSettings(folder=tmp_path if hosts else None),
            poll=PollSettings() if hosts else None,
            pdf=PdfFolderSettings(folder=folder),
        )
        for name, cron, hosts, folder in (
            ("bv-tinh", "30 2 * * 0", ("h.test",), tmp_path),
            ("bv-huyen", "", (), None),
        )
    }
    source = SourceSettings(file=tmp_path / "his.yaml", schedule="0 * * * *")
    return Adapter(Settings(hospitals=known, sources={"bv-tinh": source}), create_engine("sqlite://"))


def services(adapter: Adapter) -> Sequence[list[Duty]]:
    with_all = (adapter, lambda: NOON, threading.Event())
    return schedule_duties(*with_all), worker_duties(*with_all), worker_duties(*with_all, ["bv-huyen"])


@pytest.mark.parametrize("module", sorted(ROOM))
def test_a_file_is_one_duty_with_the_skeleton_of_all(module: str) -> None:
    [duty] = classes(module)
    assert is_dataclass(duty)
    assert duty.__dataclass_params__.frozen  # type: ignore[attr-defined] # it is a dataclass
    assert [one.name for one in fields(duty)][:2] == ["adapter", "clock"]
    own = {name: member for name, member in vars(duty).items() if not name.startswith("_")}
    assert own.keys() == MEMBERS
    assert isinstance(own["name"], property)
    assert isinstance(own["cron"], property)
    assert inspect.signature(own["run"]) == inspect.Signature(
        [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)], return_annotation=None
    )


def test_every_duty_is_done_by_a_service_or_is_a_part_of_planning(adapter: Adapter) -> None:
    assert {type(one) for service in services(adapter) for one in service} == DUTIES - PARTS


def test_names_are_unique_in_a_service(adapter: Adapter) -> None:
    for service in services(adapter):
        names = [one.name for one in service]
        assert len(names) == len(set(names))


def test_only_planning_has_a_name_without_a_colon(adapter: Adapter) -> None:
    parts = [MatchInbox(adapter, lambda: NOON), ForgetExpired(adapter, lambda: NOON, "bv-tinh")]
    for one in [*parts, *(duty for service in services(adapter) for duty in service)]:
        assert (":" not in one.name) == isinstance(one, PlanHospital | SyncHospital), one.name


def test_names_are_those_that_databases_know(adapter: Adapter) -> None:
    """A beat under another name would be taken anew."""
    names = {"bv-tinh", "bv-huyen", "doctor:bv-tinh", "source:bv-tinh", "alarm:", "audit:"}
    names |= {"subscriptions:bv-tinh", "files:bv-tinh", "pdf:bv-tinh", "poll:bv-tinh"}
    scheduled, worked, chosen = ({one.name for one in service} for service in services(adapter))
    assert scheduled == worked == names
    assert chosen == {"bv-huyen", "alarm:", "audit:"}


def test_what_has_beats_has_a_valid_cron_and_what_has_none_is_a_part(adapter: Adapter) -> None:
    for one in (duty for service in services(adapter) for duty in service):
        assert next_run(one.cron, NOON) > NOON
    for part in (MatchInbox(adapter, lambda: NOON), ForgetExpired(adapter, lambda: NOON, "bv-tinh")):
        assert not part.cron
