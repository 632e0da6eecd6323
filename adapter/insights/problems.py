"""What a person must know, as one table: from facts (`collect_facts`) to problems (`find_problems`, pure),
each with since when, where, how much, and the command that helps. Counts and hospitals' names only, nothing
of a person.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import orjson

from adapter.errors import PolicyError, SettingsError
from adapter.inbox.quarantine.store import RefusedBacklog
from adapter.insights import identity_key
from adapter.insights.doubles import numbers_of_two
from adapter.insights.host_facts import disk_free_mb, files_left, is_read_only
from adapter.insights.open_files import readable_by_others
from adapter.insights.polls import unread_types
from adapter.insights.referrals import backlog_of
from adapter.insights.results_to_see import late_results
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.ledger.hospitals.server import HaltReason
from adapter.ledger.hospitals.values import HospitalState
from adapter.ledger.monitoring.overdue import Backlog
from adapter.ledger.parking import ParkedGroup, ParkedSelection
from adapter.ledger.server_cards.store import StoredCard
from adapter.pipeline.application import Adapter
from adapter.pipeline.mappings.activation_status import inactive_mapping
from adapter.pipeline.outbound.pending_disclosure import pending_disclosure
from adapter.pipeline.outbound.server_identity import halt_reason
from adapter.settings import AlarmSettings
from adapter.texts import has_text, say

__all__ = [
    "CHANNEL_PREFIX",
    "HospitalFacts",
    "Problem",
    "ProblemFacts",
    "collect_facts",
    "current_problems",
    "find_problems",
    "token_expiry",
]

_NONE = Backlog(0, None)
_SILENT = timedelta(minutes=10)  # a worker at work gives a sign every few seconds
# What helps first where a release would only fail again.
_PARKED = {
    "invalid": "adapter import",
    "multiple-matches": "adapter reconcile {name} --repair",
    "duplicates": "adapter reconcile {name} --repair",
}
# What does not pass by itself: nothing can be sent until it is right.
_AT_ONCE = ("auth", "tls", "not-fhir", "redirected")
CHANNEL_PREFIX = "way-"  # begins the code of a way to tell problems that does not work


@dataclass(frozen=True, slots=True)
class Problem:
    """One trouble. `hospital` is "" for the adapter itself; `code` names the trouble, `cause` which of its
    kind (of what is parked). `since` None: not known.
    """

    code: str
    hospital: str
    since: datetime | None
    count: int
    command: str
    cause: str = ""
    until: datetime | None = None
    kinds: int = 0  # of what is counted, where that is told

    @property
    def words(self) -> str:
        """What it is, in the language in use."""
        until = self.until.strftime("%Y-%m-%d") if self.until else ""
        known = has_text(f"reason.{self.cause}")
        cause = say(f"reason.{self.cause}") if known else self.cause
        return say(f"problems.{self.code}", count=self.count, cause=cause, until=until, kinds=self.kinds)

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others, as the table of alarms has it."""
        return self.hospital, f"{self.code}-{self.cause}"[:30] if self.cause else self.code


@dataclass(frozen=True, slots=True)
class HospitalFacts:
    """What is known of one hospital. `mapping` says why the folder's mapping is not in force there;
    `token_expires_at` is when our token for it ends, `token_unreadable` that it cannot be read. `halted` is
    why nothing may be written there, `nameless` what is to be taken back there of no record that is known,
    `other_key` that its ledger was made with another identity key. `disclosures` counts the people of whom
    something waits for consent, `former_key` the resources that the hospital still has under the identity
    key before.
    """

    row: HospitalState
    parked: tuple[ParkedGroup, ...] = ()
    unknown: Backlog = _NONE
    retracting: Backlog = _NONE
    nameless: Backlog = _NONE
    referrals: Backlog = _NONE
    idle: Backlog = _NONE
    unmatched: Backlog = _NONE
    unseen: Backlog = _NONE  # abnormal results that no doctor has seen
    late: Sequence[tuple[str, Backlog]] = ()  # referrals by what is waited for
    refused: RefusedBacklog | None = None
    holds: bool = False
    card: StoredCard | None = None
    token_expires_at: datetime | None = None
    token_unreadable: bool = False
    mapping: str | None = None
    halted: str | None = None
    other_key: bool = False
    disclosures: int = 0
    former_key: int = 0
    subscriptions: Backlog = _NONE
    files: Backlog = _NONE  # in its folder
    polls: Backlog = _NONE


@dataclass(frozen=True, slots=True)
class ProblemFacts:
    """All that is judged. `disk_free_mb` None: not this host's to know."""

    hospitals: Mapping[str, HospitalFacts] = field(default_factory=dict)
    removed: Mapping[str, Backlog] = field(default_factory=dict)  # hospitals that the settings no longer have
    silent_workers: Backlog = _NONE
    policy_wrong: bool = False
    disk_free_mb: float | None = None
    read_only: bool = False
    failed_channels: tuple[str, ...] = ()
    key_unreadable: bool = False  # the identity key is missing or too short
    weak_key: bool = False  # the identity key can be guessed, and is in use
    audit_trouble: str = ""  # why the audit does not lead to what is remembered, in a word
    readable_by_others: int = 0  # files and folders of ours that other accounts can read
    held: Backlog = _NONE  # rows of imports that wait for a person
    orphaned_merges: int = 0  # people merged into somebody who left the records
    shared_numbers: int = 0  # national or insurance numbers that two people have


def current_problems(adapter: Adapter, now: datetime) -> list[Problem]:
    """All there is to know now, the oldest first; where no fact says since when, since it was first found."""
    known = adapter.alarm_store.all()
    found = find_problems(collect_facts(adapter, now), adapter.settings.alarm, now)
    dated = [
        one if one.since or one.key not in known else replace(one, since=known[one.key].since)
        for one in found
    ]
    return sorted(dated, key=lambda one: (one.since or now, one.hospital, one.key))


# -- judging -------------------------------------------------------------------------------


def find_problems(known: ProblemFacts, limits: AlarmSettings, now: datetime) -> list[Problem]:
    """What of the facts a person must know (pure)."""
    found = [one for name, there in known.hospitals.items() for one in _at(name, there, limits, now)]
    for name, waits in known.removed.items():
        found.append(Problem("removed", name, waits.since, waits.count, "adapter hospital list"))
    found += [one for one in _at_home(known, limits) if one.count]
    found += [Problem("way", "", None, 1, "adapter alarm --test", cause=way) for way in known.failed_channels]
    return found


def _at_home(known: ProblemFacts, limits: AlarmSettings) -> Iterator[Problem]:
    """Of the adapter itself; what counts nothing is none."""
    free, held, silent = known.disk_free_mb, known.held, known.silent_workers
    yield Problem("policy", "", None, int(known.policy_wrong), "adapter mapping check")
    yield Problem("no-key", "", None, int(known.key_unreadable), "adapter mapping check")
    yield Problem("weak-key", "", None, int(known.weak_key), "adapter identity-key")
    yield Problem("merged", "", None, known.orphaned_merges, "adapter cadre merges")
    yield Problem("held", "", held.since, held.count, "adapter import held")
    yield Problem("doubles", "", None, known.shared_numbers, "adapter cadre doubles")
    yield Problem("worker", "", silent.since, silent.count, "adapter worker")
    if free is not None and free < limits.disk_free_mb:
        yield Problem("disk", "", None, int(free) or 1, "df -h")
    trouble = known.audit_trouble
    yield Problem("audit", "", None, int(bool(trouble)), "adapter audit head", cause=trouble)
    yield Problem("open-files", "", None, known.readable_by_others, "adapter status --where")
    yield Problem("read-only", "", None, int(known.read_only), "adapter status")


def _at(name: str, there: HospitalFacts, limits: AlarmSettings, now: datetime) -> Iterator[Problem]:
    yield from _reached(name, there, limits, now)
    for group in there.parked:
        command = _PARKED.get(group.reason, "adapter release {name} --reason {reason}")
        command = command.format(name=name, reason=group.reason)
        yield Problem("parked", name, group.since, group.count, command, cause=group.reason)
    long = {
        "unknown": (there.unknown, f"adapter hospital show {name}"),
        "leaving": (there.retracting, f"adapter reconcile {name}"),
        "referrals": (there.referrals, f"adapter plan {name} --by-cadre"),
        "unmatched": (there.unmatched, "adapter inbox"),
        "unseen": (there.unseen, f"adapter result list {name}"),
        "subscription": (there.subscriptions, f"adapter hospital show {name}"),
        "files": (there.files, "adapter status"),
        "poll": (there.polls, f"adapter poll {name}"),
    }
    for code, (waits, command) in long.items():
        if waits.count:
            yield Problem(code, name, waits.since, waits.count, command)
    for clock, waits in there.late:
        yield Problem(
            "late", name, waits.since, waits.count, f"adapter referral list {name} --late", cause=clock
        )
    if there.refused:
        since, count, kinds = there.refused.since, there.refused.count, there.refused.kinds
        yield Problem("refused", name, since, count, "adapter inbox refused", kinds=kinds)
    if there.mapping:
        command = "adapter mapping check" if there.mapping == "broken" else "adapter mapping diff"
        yield Problem("mapping", name, None, 1, command, cause=there.mapping)
    if there.disclosures:
        yield Problem("disclosures", name, None, there.disclosures, f"adapter mapping diff {name}")
    if there.nameless.count and _is_closed_to_us(there):
        command = f"adapter hospital withdrawals {name}"
        yield Problem("withdrawals", name, there.nameless.since, there.nameless.count, command)
    yield from _server(name, there, limits, now)


def _is_closed_to_us(there: HospitalFacts) -> bool:
    """Whether nothing is written there until a person does something."""
    row = there.row
    stopped = row.failing_since is not None and row.last_error in _AT_ONCE
    return bool(there.halted) or row.mode == HospitalMode.PAUSED or stopped or there.other_key


def _reached(name: str, there: HospitalFacts, limits: AlarmSettings, now: datetime) -> Iterator[Problem]:
    """Whether it is served at all: at most one answer."""
    row, since = there.row, there.row.failing_since
    if row.mode != HospitalMode.RUNNING:
        if row.mode_at is None or now - row.mode_at >= timedelta(hours=limits.paused_hours):
            yield Problem("paused", name, row.mode_at, 1, f"adapter hospital resume {name}")
    elif there.halted:
        help_ = "reconcile" if there.halted == HaltReason.RESTORED else "hospital show"
        yield Problem(there.halted, name, row.halted_at, 1, f"adapter {help_} {name}")
    elif since is not None and (trouble := (row.last_error or "").partition(" "))[0] in _AT_ONCE:
        yield Problem(trouble[0], name, since, row.failures, f"adapter doctor {name}", cause=trouble[2])
    elif since is not None and now - since >= timedelta(minutes=limits.unreachable_minutes):
        yield Problem("unreachable", name, since, row.failures, f"adapter hospital show {name}")
    elif since is None and there.idle.count and _is_quiet(row.last_contact, limits, now):
        yield Problem("idle", name, there.idle.since, there.idle.count, f"adapter sync {name}")


def _is_quiet(contact: datetime | None, limits: AlarmSettings, now: datetime) -> bool:
    return contact is None or now - contact >= timedelta(minutes=limits.idle_minutes)


def _server(name: str, there: HospitalFacts, limits: AlarmSettings, now: datetime) -> Iterator[Problem]:
    """Its card, its certificate, our token for it, and our identities."""
    if there.other_key:
        yield Problem("other-key", name, None, 1, "adapter mapping check")
    if there.former_key:
        yield Problem("former-key", name, None, there.former_key, f"adapter sync {name}")
    if there.token_unreadable:
        yield Problem("no-token", name, None, 1, "adapter mapping check")
    if there.token_expires_at is not None and there.token_expires_at - now < timedelta(
        days=limits.token_days
    ):
        yield Problem("token", name, None, 1, f"adapter doctor {name}", until=there.token_expires_at)
    if there.card is None:
        if there.holds:
            yield Problem("no-card", name, None, 1, f"adapter doctor {name}")
        return
    if there.card.drift:
        changed = there.card.drift.count("; ") + 1
        yield Problem("card-drift", name, there.card.measured_at, changed, f"adapter doctor --show {name}")
    ends = _instant(there.card.card.tls_until)
    if ends is not None and ends - now < timedelta(days=limits.certificate_days):
        yield Problem("certificate", name, None, 1, f"adapter doctor {name}", until=ends)


def _instant(said: str | None) -> datetime | None:
    with suppress(ValueError):
        found = datetime.fromisoformat(said or "")
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def token_expiry(token: str) -> datetime | None:
    """When a JSON Web Token ends, as it says itself; None for another token. Nothing is verified."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (ValueError, TypeError, KeyError, OverflowError, OSError, binascii.Error):
        return None


# -- gathering -----------------------------------------------------------------------------


def collect_facts(adapter: Adapter, now: datetime) -> ProblemFacts:
    """What the database, the settings and this host say. Writes nothing, asks no hospital."""
    limits = adapter.settings.alarm
    unmatched = adapter.inbox.unmatched_backlog(now - timedelta(hours=limits.unmatched_hours))
    late, unseen = adapter.waiting_referrals.late(now), late_results(adapter, now)
    silent, names = adapter.overdue.silent_workers(now - _SILENT), tuple(adapter.settings.hospitals)
    undelivered = adapter.overdue.undelivered_referrals(names, now - timedelta(hours=limits.referral_hours))
    idle = adapter.overdue.unclaimed_shipments(names, now - timedelta(minutes=limits.idle_minutes), now)
    refused = adapter.quarantine.backlog()
    subscriptions = adapter.subscriptions.in_error()
    ways = tuple(
        code.removeprefix(CHANNEL_PREFIX)
        for _, code in adapter.alarm_store.all()
        if code.startswith(CHANNEL_PREFIX)
    )
    return ProblemFacts(
        hospitals={
            name: replace(
                _facts_at(adapter, name, now),
                unmatched=Backlog(*unmatched.get(name, (0, None))),
                late=backlog_of(late, name),
                referrals=undelivered.get(name, _NONE),
                idle=idle.get(name, _NONE),
                unseen=unseen.get(name, _NONE),
                refused=refused.get(name),
                subscriptions=Backlog(*subscriptions.get(name, (0, None))),
            )
            for name in names
        },
        removed=adapter.overdue.unconfigured_hospitals(adapter.settings.hospitals),
        silent_workers=silent,
        policy_wrong=_policy_wrong(adapter),
        key_unreadable=identity_key.is_unreadable(adapter),
        weak_key=identity_key.is_weak(adapter),
        disk_free_mb=disk_free_mb(adapter),
        read_only=is_read_only(adapter),
        failed_channels=ways,
        audit_trouble=adapter.remembered_head.trouble(),
        readable_by_others=len(readable_by_others(adapter.settings)),
        held=Backlog(*adapter.held_rows.backlog()),
        orphaned_merges=len(adapter.records.merges.without_survivor()),
        shared_numbers=len(numbers_of_two(adapter)),
    )


def _facts_at(adapter: Adapter, name: str, now: datetime) -> HospitalFacts:
    limits, ages = adapter.settings.alarm, adapter.overdue
    token, no_token = _token(adapter, name)
    kept, waits = inactive_mapping(adapter, name), pending_disclosure(adapter, name)
    return HospitalFacts(
        row=adapter.ledger.hospitals.row(name),
        parked=tuple(adapter.parked_store.groups([ParkedSelection(name)])),
        unknown=ages.unknown(name, now - timedelta(minutes=limits.unknown_minutes)),
        nameless=ages.nameless_retractions(name),
        retracting=ages.retracting(name, now - timedelta(hours=limits.retract_hours)),
        files=files_left(adapter, name, now - timedelta(minutes=limits.idle_minutes)),
        holds=adapter.settings.hospitals[name].base_url is not None and ages.has_entries(name),
        card=adapter.cards.get(name),
        token_expires_at=token,
        token_unreadable=no_token,
        mapping=kept.why if kept and kept.why != "changed" else None,
        halted=halt_reason(adapter, name),
        other_key=identity_key.is_other_key(adapter, name),
        polls=unread_types(adapter, name, now),
        former_key=identity_key.under_former_key(adapter, name),
        disclosures=max(waits.weight.newly_people, waits.weight.taken_people) if waits else 0,
    )


def _token(adapter: Adapter, name: str) -> tuple[datetime | None, bool]:
    """When our token for the hospital ends, and whether it cannot even be read."""
    reference = adapter.settings.hospital(name).token
    if reference is None:
        return None, False
    try:
        return token_expiry(adapter.settings.secret(reference).get_secret_value()), False
    except SettingsError:
        return None, True


def _policy_wrong(adapter: Adapter) -> bool:
    try:
        _ = adapter.policy
    except PolicyError:
        return True
    return False
