"""A hospital that lets us only read its FHIR server is read: what is new there and concerns us goes in as if
it had been sent, and then it is noted how far was read. A process that dies between the two reads again, and
what it had stored is known again by its number.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import dropwhile
from threading import Event
from typing import Final
from urllib.parse import quote

from adapter.database import read_transaction
from adapter.delivery.http.client import HospitalClient, HttpResponse, NoResponse
from adapter.errors import FhirError, SettingsError
from adapter.fhir.codec import Resource, dumps
from adapter.inbox.evidence import listed_members, read_evidence
from adapter.inbox.matching import LookupResult
from adapter.inbox.ordering import REVISIONS, server_version
from adapter.inbox.polling.decisions import (
    concerns_us,
    first_url,
    last_updated,
    named_beside,
    named_patients,
    next_watermark,
    placed_orders,
    server_time,
    version_key,
)
from adapter.inbox.ports import is_centres_own, look_up_evidence
from adapter.inbox.quarantine.refused_request import RefusedRequest
from adapter.inbox.references import objects_of
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.ledger.named_lines import held_etags
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.hospital_directory import HospitalDirectory
from adapter.pipeline.inbound.quarantine import keep_refused
from adapter.pipeline.inbound.reception import repository_of
from adapter.repository.bundle_entries import parse_entry
from adapter.repository.interaction_errors import issues_of_error
from adapter.service_hours import ServiceHours
from adapter.settings.poll import PollSettings
from adapter.telemetry import get_logger

__all__ = ["PolledType", "poll_hospital", "require_polled"]

_MOST_PASSES: Final = 5  # over the same pages, while writes move them
_PATIENTS: Final = 50  # in one request
_VERSIONS: Final = 20  # of what was corrected
_SERVER_FAULT: Final = 500
_NUMBER: Final = re.compile(r"[1-9]\d{0,17}")
_ID: Final = re.compile(r"[A-Za-z0-9.\-]{1,64}")

_log = get_logger("inbox")


@dataclass(slots=True)
class PolledType:
    """What one round came to for one type: `taken` versions were stored or known, `others` concern somebody
    else, `refused` are kept for a person; `problem` says in a word why it was not read to the end.
    """

    type: str
    taken: int = 0
    others: int = 0
    refused: int = 0
    requests: int = 0
    watermark: datetime | None = None
    problem: str | None = None


Tell = Callable[[str, str | None, int, int], None]


def require_polled(adapter: Adapter, hospital: str) -> PollSettings:
    """Raises SettingsError where the settings do not say that this hospital is read."""
    section = adapter.settings.hospital(hospital).poll
    if section is None:
        raise SettingsError("poll.not_polled", name=hospital)
    return section


def poll_hospital(
    adapter: Adapter,
    hospital: str,
    clock: Callable[[], datetime],
    stop: Event,
    *,
    since: datetime | None = None,
    dry_run: bool = False,
    tell: Tell = lambda *_: None,
) -> tuple[PolledType, ...]:
    """Read each type once, from its watermark or `since`. With `dry_run` nothing is stored or noted. Nothing
    is read while a person paused the hospital, or in its maintenance. Raises SettingsError.
    """
    section = require_polled(adapter, hospital)
    if not _may_be_asked(adapter, hospital, clock()):
        return ()
    marks = adapter.polls.of_hospital(hospital)
    done = []
    with adapter.client(hospital) as client:
        for number, type_ in enumerate(section.types):
            if stop.is_set():
                break
            tell("poll", hospital, number, len(section.types))
            mark = marks.get(type_)
            known = mark.watermark if mark else None
            begin = since or known or clock() - timedelta(days=section.first_days)
            reading = _Reading(adapter, hospital, section, client, clock, stop, dry_run)
            found = reading.run(type_, begin, known)
            done.append(found)
            if not dry_run:
                _note(adapter, hospital, found, clock())
    return tuple(done)


def _may_be_asked(adapter: Adapter, hospital: str, now: datetime) -> bool:
    if adapter.ledger.hospitals.row(hospital).mode == HospitalMode.PAUSED:
        return False
    return ServiceHours.of((), adapter.settings.hospital(hospital).maintenance).is_open_at(now)


def _note(adapter: Adapter, hospital: str, found: PolledType, now: datetime) -> None:
    if found.problem is None:
        adapter.polls.note_done(hospital, found.type, found.watermark, now)
    else:
        adapter.polls.note_failed(hospital, found.type, found.problem, now)
    if found.taken or found.refused or found.problem:
        _log.info(
            "inbox.polled",
            hospital=hospital,
            type=found.type,
            taken=found.taken,
            others=found.others,
            refused=found.refused,
            problem=found.problem or "",
        )


class _Unread(Exception):
    """The server could not be read: `why`, in a word."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass
class _Reading:
    """One type, for one round."""

    adapter: Adapter
    hospital: str
    section: PollSettings
    client: HospitalClient
    clock: Callable[[], datetime]
    stop: Event
    dry_run: bool
    _begun: datetime | None = None
    _newest: datetime | None = None
    _seen: set[tuple[str, str]] = field(default_factory=set)
    _ours: dict[str, bool] = field(default_factory=dict)  # Patients of the round: whether they are ours
    _brought: set[str] = field(default_factory=set)  # what was read by its name

    def run(self, type_: str, begin: datetime, known: datetime | None) -> PolledType:
        """Read until nothing new is there."""
        self._found = PolledType(type_, watermark=known)
        self._directory = HospitalDirectory(self.adapter, self.hospital)
        self._repository = repository_of(self.adapter)
        self._base = self.adapter.settings.hospital(self.hospital).server_url
        before = self.client.requests
        try:
            self._read_all(type_, begin)
        except _Unread as error:
            self._found.problem = error.why
        except FhirError as error:
            if error.status < _SERVER_FAULT:
                raise
            self._found.problem = "busy"  # our own database
        else:
            self._found.watermark = next_watermark(known, self._newest, self._begun)
        self._found.requests = self.client.requests - before
        return self._found

    def _read_all(self, type_: str, begin: datetime) -> None:
        """Pages move while somebody writes, and what moves may be missed: they are read until a pass brings
        nothing that was there when the reading began.
        """
        section = self.section
        url = first_url(section.by, type_, begin, section.overlap_seconds, section.page_size)
        for _ in range(_MOST_PASSES):
            pages = 0
            fresh = 0
            for page in self.client.pages(
                url, max_pages=section.max_pages, max_matches=section.max_pages * section.page_size
            ):
                pages += 1
                fresh += self._take_page(type_, self._resources(page))
                if self.stop.is_set():
                    raise _Unread("stopped")
            if pages <= 1 or not fresh:
                return
        raise _Unread("moving")

    def _resources(self, page: HttpResponse | NoResponse) -> Sequence[Resource]:
        if isinstance(page, NoResponse):
            raise _Unread(page.why)
        if page.status != 200 or not isinstance(page.body, list):
            raise _Unread(f"status-{page.status}" if page.status != 200 else "not-fhir")
        self._begun = self._begun or server_time(page.headers) or self.clock()
        return page.body

    def _take_page(self, type_: str, resources: Sequence[Resource]) -> int:
        """Store what concerns us; how many versions are new that were written before the reading began."""
        fresh, old = [], 0
        for one in resources:
            if one.get("resourceType") != type_ or not _ID.fullmatch(str(one.get("id"))):
                continue
            key, moment = version_key(one), last_updated(one)
            if key in self._seen:
                continue
            self._seen.add(key)
            fresh.append(one)
            if moment is not None:
                self._newest = moment if self._newest is None else max(self._newest, moment)
            old += moment is None or self._begun is None or moment <= self._begun
        if self.section.by == "history":  # the newest comes first
            fresh.reverse()
        self._take(fresh)
        return old

    def _take(self, resources: Sequence[Resource]) -> None:
        ids = [str(one["id"]) for one in resources]
        came = self.adapter.polls.known_versions(self.hospital, self._found.type, ids)
        new = [one for one in resources if _as_sent(one) not in came]
        self._found.taken += len(resources) - len(new)
        self._learn_patients(new)
        ours = [one for one in new if self._concerns(one)]
        self._found.others += len(new) - len(ours)
        for one in ours:
            members = self._missing_members(one)
            for each in (one, *members):
                for place in (*(f"Patient/{id_}" for id_ in named_patients(each)), *named_beside(each)):
                    self._bring(place)
            for member in members:
                self._store(member)
            for version in (*self._earlier_versions(one), one):
                self._store(version)

    def _concerns(self, resource: Resource) -> bool:
        if is_centres_own(resource, self._directory) and self._is_as_we_wrote_it(resource):
            return False
        if any(self._ours.get(id_) for id_ in named_patients(resource)):
            return True
        return concerns_us(self._looked_up(placed_orders(resource, self._base)))

    def _looked_up(self, resource: Resource) -> LookupResult:
        said = read_evidence(resource, lambda _: None, own_bases=self._directory.own_bases)
        return look_up_evidence(said, self._directory)

    def _is_as_we_wrote_it(self, resource: Resource) -> bool:
        """Whether it is what we sent, and nobody there has changed it since. Of a Task of which that is not
        known it is looked at what it says.
        """
        type_ = str(resource["resourceType"])
        with read_transaction(self.adapter.engine) as connection:
            etags = held_etags(connection, self.hospital, type_, str(resource["id"]))
        if not etags:
            return type_ != "Task"
        return any(f'"{version_key(resource)[1]}"' in one for one in etags)

    def _learn_patients(self, resources: Iterable[Resource]) -> None:
        """Of Patients that are named and not known yet the numbers are asked for, and nothing else."""
        wanted = {id_ for one in resources for id_ in named_patients(one) if id_ not in self._ours}
        known = self._directory.cadres_by_remote_id(wanted)
        self._ours |= dict.fromkeys(known, True)
        left = sorted(wanted - known.keys())
        for start in range(0, len(left), _PATIENTS):
            chunk = left[start : start + _PATIENTS]
            listed = ",".join(quote(one, safe="") for one in chunk)
            answer = self.client.search(f"Patient?_id={listed}&_elements=identifier&_count={len(chunk)}")
            found = self._resources(answer)
            self._ours |= dict.fromkeys(chunk, False)
            for patient in found:
                if (id_ := str(patient.get("id"))) in self._ours:
                    subject = {"identifier": patient.get("identifier")}
                    about = {"resourceType": "Observation", "subject": subject}
                    self._ours[id_] = concerns_us(self._looked_up(about))

    def _bring(self, place: str) -> None:
        """What a result that concerns us names as `Type/id`: the Patient, so that whose it is can be checked,
        and what it was found in.
        """
        type_, _, id_ = place.partition("/")
        if place in self._brought or not _ID.fullmatch(id_):
            return
        self._brought.add(place)
        answer = self.client.get(place)
        if isinstance(answer, NoResponse):
            raise _Unread(answer.why)
        body = answer.body if answer.status == 200 and isinstance(answer.body, dict) else {}
        if (body.get("resourceType"), body.get("id")) == (type_, id_):
            self._store(body, counts=False)

    def _missing_members(self, report: Resource) -> list[Resource]:
        """The Observations that a report lists and that never came: some servers leave their subject out."""
        found = []
        for member in listed_members(report):
            if self._is_held(member):
                continue
            answer = self.client.get(member)
            if isinstance(answer, HttpResponse) and answer.status == 200 and isinstance(answer.body, dict):
                found.append(answer.body)
        return found

    def _earlier_versions(self, resource: Resource) -> list[Resource]:
        """What a correction corrects, where it came between two readings: a search has the newest version
        alone. A server that keeps no history has none.
        """
        place, version = f"{resource['resourceType']}/{resource['id']}", version_key(resource)[1]
        if str(resource.get("status")) not in REVISIONS or version in ("", "1") or self._is_held(place):
            return []
        answer = self.client.get(f"{place}/_history?_count={_VERSIONS}")
        body = answer.body if isinstance(answer, HttpResponse) and answer.status == 200 else None
        listed = (
            [one.get("resource") for one in objects_of(body.get("entry"))] if isinstance(body, dict) else []
        )
        found = [one for one in objects_of(listed) if f"{one.get('resourceType')}/{one.get('id')}" == place]
        behind = dropwhile(lambda one: version_key(one)[1] != version, found)  # the newest comes first
        return list(reversed(list(behind)[1:]))

    def _is_held(self, name: str) -> bool:
        type_, _, id_ = name.partition("/")
        try:
            self._repository.read(self.hospital, type_, id_)
        except FhirError:
            return False
        return True

    def _store(self, resource: Resource, *, counts: bool = True) -> None:
        resource = placed_orders(resource, self._base)
        type_, id_ = str(resource["resourceType"]), str(resource["id"])
        self._found.taken += counts
        if self.dry_run:
            return
        request = {"method": "PUT", "url": f"{type_}/{id_}"}
        version = version_key(resource)[1]
        if _NUMBER.fullmatch(version):
            request["ifMatch"] = f'W/"{version}"'
        try:
            checks = self._repository.checks
            entry = parse_entry({"resource": resource, "request": request}, 0, None, checks)
            self._repository.perform(self.hospital, replace(entry, position=None, where=""))
        except FhirError as error:
            if error.status >= _SERVER_FAULT:
                raise
            if error.status not in (409, 412):
                self._refuse(resource, error)

    def _refuse(self, resource: Resource, error: FhirError) -> None:
        url = f"{resource['resourceType']}/{resource['id']}"
        issues = issues_of_error(error)
        self._found.refused += 1
        refused = RefusedRequest(self.hospital, "PUT", url, dumps(resource), error.status, issues)
        keep_refused(self.adapter, refused, self.clock())


def _as_sent(resource: Resource) -> tuple[str, int, datetime] | None:
    """Id, number and moment of a version as its server says; None where it does not say all of it."""
    id_, found = str(resource["id"]), server_version(str(resource["id"]), resource.get("meta"))
    return None if found is None or found.number is None else (id_, found.number, found.updated)
