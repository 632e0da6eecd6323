"""The history of a resource at a hospital, packed into one short text (pure).

A step is `;`, the moment (seconds since 1970, base 36), a letter for the state that it led to, and the
reason if there is one: `;tbn4k2P;tbn4k3S;tbn4kfKrefused`. Newest last; the oldest are cut off beyond
`MAX_HISTORY_CHARS` characters. Steps are appended by SQL, so that nobody need read what is there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from adapter.ledger.schema.states import EntryState

__all__ = ["MAX_HISTORY_CHARS", "Transition", "held_since", "pack_transition", "unpack_transitions"]

MAX_HISTORY_CHARS = 2000  # characters: the width of the column, some eighty steps
_LETTERS = {
    EntryState.PENDING: "P",
    EntryState.SENDING: "S",
    EntryState.DELIVERED: "D",
    EntryState.UNKNOWN: "U",
    EntryState.PARKED: "K",
    EntryState.RETRACTING: "R",
    EntryState.RETRACTED: "G",
}
_STATES = {letter: state for state, letter in _LETTERS.items()}
_STEP = re.compile(r";([0-9a-z]+)([A-Z])([^;]*)")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Transition:
    """One step. `before` is None for the first that is known."""

    at: datetime
    before: EntryState | None
    after: EntryState
    reason: str | None


def pack_transition(after: EntryState, now: datetime, reason: str | None = None) -> str:
    """The step to `after`, packed."""
    return f";{_base36(int(now.timestamp()))}{_LETTERS[after]}{(reason or '').replace(';', ',')[:40]}"


def unpack_transitions(history: str | None) -> tuple[Transition, ...]:
    """The steps, oldest first. What was cut in the middle is left out."""
    found: list[Transition] = []
    for moment, letter, reason in _STEP.findall(history or ""):
        before = found[-1].after if found else None
        at = datetime.fromtimestamp(int(moment, 36), UTC)
        if letter in _STATES:
            found.append(Transition(at, before, _STATES[letter], reason or None))
    return tuple(found)


def held_since(history: Sequence[Transition]) -> datetime | None:
    """When the hospital first had it, in any version, since it was last to be taken back; None: not known."""
    since: datetime | None = None
    for one in history:
        if one.after is EntryState.RETRACTING:
            since = None
        elif one.after is EntryState.DELIVERED and since is None:
            since = one.at
    return since


def _base36(number: int) -> str:
    digits = ""
    while number > 0:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
