"""A hospital's referrals as it may see them: of each person what the hospital should hold by mapping, policy
and ledger, and nothing else. What is not planned for it yet, or was set aside, is not shown.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from adapter.database import read_transaction
from adapter.fhir.bundle import Target
from adapter.fhir.codec import Resource, loads
from adapter.ledger.entries.comparison import PlannedAction
from adapter.ledger.named_lines import wished_lines
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.changed_people import PlannedPerson, selected_people
from adapter.records import lookups
from adapter.records.model import Referral, Result
from adapter.referrals.lifecycle import FINAL

__all__ = ["SentPage", "SentReferral", "page_findings", "sent_referral", "sent_referrals"]

_BY_PAGE = re.compile(r"[0-9a-f]{32}(?:-\d{1,2})?", re.ASCII)  # the ids that its forms give
_TYPE = "ServiceRequest"
_WANTED = ("active", "on-hold")
_AS_PLANNED = (PlannedAction.UNCHANGED, PlannedAction.WAITING)
_PRIORITIES = ("stat", "asap", "urgent", "routine")


@dataclass(frozen=True, slots=True)
class SentReferral:
    """A referral at its hospital. `identity` is that of its ServiceRequest there, `resources` are the
    person's that the hospital should hold, by type and identity: `request` is None while what changed is not
    planned. `system` is that of the identities.
    """

    identity: str
    referral: Referral
    system: str
    resources: Mapping[Target, Resource]

    @property
    def request(self) -> Resource | None:
        """The ServiceRequest."""
        return self.resources.get((_TYPE, self.identity))

    @property
    def is_open(self) -> bool:
        """Whether the hospital may still answer."""
        return _is_open(self.referral)


@dataclass(frozen=True, slots=True)
class SentPage:
    """Some of them, in their order, of `total`."""

    referrals: Sequence[SentReferral]
    total: int


def sent_referrals(adapter: Adapter, hospital: str, *, closed: bool, start: int, count: int) -> SentPage:
    """The hospital's referrals from `start` on, at most `count`: those that wait for it, the most urgent
    first, or those that are `closed`, the newest first.
    """
    with read_transaction(adapter.engine) as connection:
        identities = {line.key: line.name for line in wished_lines(connection, hospital, _TYPE)}
    chosen = [one for one in _live(adapter, hospital, identities) if _is_open(one) is not closed]
    chosen.sort(key=_closed_first if closed else _urgent_first, reverse=closed)
    shown = chosen[start : start + count]
    return SentPage(
        _with_resources(adapter, hospital, [(identities[one.key], one) for one in shown]), len(chosen)
    )


def sent_referral(adapter: Adapter, hospital: str, identity: str) -> SentReferral | None:
    """The hospital's referral of that identity; None where there is none that it should know of."""
    entry = adapter.ledger.by_identity(hospital, _TYPE, identity)
    if entry is None or entry.identity != identity or entry.desired_digest is None:
        return None
    found = [one for one in _live(adapter, hospital, (entry.key,)) if one.key == entry.key]
    made = _with_resources(adapter, hospital, [(identity, one) for one in found])
    return made[0] if made else None


def page_findings(adapter: Adapter, hospital: str, referral: Referral) -> list[Resource]:
    """What the hospital's clerks sent on the page as findings of a referral, as it is now and in its order;
    what they withdrew is not among it.
    """
    mine = (
        loads(one.resource.encode())
        for one in adapter.records.of_cadre(referral.cadre)
        if isinstance(one, Result) and (one.hospital, one.referral) == (hospital, referral.key)
    )
    found = [
        one
        for one in mine
        if _BY_PAGE.fullmatch(str(one.get("id"))) and one.get("status") != "entered-in-error"
    ]
    return sorted(found, key=lambda one: (str(one.get("issued"))[:10], _place(str(one["id"]))))


def _place(id_: str) -> tuple[str, int]:
    """The values of a form in their order, then its conclusion."""
    form, _, number = id_.partition("-")
    return form, int(number or 99)


def _live(adapter: Adapter, hospital: str, keys: Collection[str]) -> list[Referral]:
    with read_transaction(adapter.engine) as connection:
        found = lookups.live_records(connection, Referral.kind, list(keys))
    return [one for one in found.values() if isinstance(one, Referral) and one.hospital == hospital]


def _with_resources(
    adapter: Adapter, hospital: str, chosen: Sequence[tuple[str, Referral]]
) -> list[SentReferral]:
    destination = adapter.destination(hospital)
    people = selected_people(adapter, destination, list(dict.fromkeys(one.cadre for _, one in chosen)))
    resources = {person.cadre: _planned_resources(person) for person in people}
    return [
        SentReferral(identity, one, destination.system, resources.get(one.cadre, {}))
        for identity, one in chosen
    ]


def _planned_resources(person: PlannedPerson) -> dict[Target, Resource]:
    """What the ledger holds as it would be sent today: anything else was not weighed by a plan yet."""
    wishes = (one.desired for one in person.changes if one.action in _AS_PLANNED)
    return {
        (one.type, one.identity): loads(one.body) for one in wishes if one is not None and one.problem is None
    }


def _is_open(referral: Referral) -> bool:
    return referral.status in _WANTED and referral.state not in FINAL


def _urgent_first(referral: Referral) -> tuple[int, date, str]:
    return _PRIORITIES.index(referral.priority), _day(referral.due_on or referral.ordered_at), referral.key


def _closed_first(referral: Referral) -> tuple[int, date, str]:
    return 0, _day(referral.fulfilled_at or referral.ordered_at), referral.key


def _day(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value
