"""Why the folder's mapping is not in force at a hospital, as far as is known without loading any."""

from dataclasses import dataclass

from adapter.errors import MappingError
from adapter.pipeline.application import Adapter
from adapter.texts import say

__all__ = ["InactiveMapping", "ResendWeight", "inactive_mapping"]

_FEW = 20  # resources that may always be sent again, unless nothing may


@dataclass(frozen=True, slots=True)
class ResendWeight:
    """What a change costs: `resend` resources of the `held` that the hospital holds would be sent again
    or taken away; `emptied` are the types of which it would hold none any more.
    """

    resend: int
    held: int
    emptied: tuple[str, ...] = ()

    def is_within(self, percent: float) -> bool:
        """Whether that is little enough to need nobody's consent: a type that is gone never is."""
        return not self.emptied and self.resend <= (max(_FEW, self.held * percent / 100) if percent else 0)


@dataclass(frozen=True, slots=True)
class InactiveMapping:
    """The folder's mapping (`version`) is not in force. `why`: "unaccepted", with its weight; "emptying",
    because a type would vanish from the hospital; "unknown",
    unaccepted where the one in force is not known or cannot be read any more; "broken"; "changed", where
    nothing looked at it yet.
    """

    hospital: str
    version: str
    why: str
    weight: ResendWeight | None = None

    def __str__(self) -> str:
        resend, held = (self.weight.resend, self.weight.held) if self.weight else (0, 0)
        return say(f"diff.kept_{self.why}", hospital=self.hospital, resend=resend, held=held)


def inactive_mapping(adapter: Adapter, name: str) -> InactiveMapping | None:
    """The folder's mapping, if it is not in force at the hospital, as far as that is known without
    loading it ("changed": nothing looked at it yet).
    """
    held = adapter.editions.active(name)
    try:
        version = adapter.library.folder_version(name)
    except MappingError:
        return InactiveMapping(name, "", "broken")
    if held is None:
        return InactiveMapping(name, version, "changed") if adapter.ledger.counts(name) else None
    if held.version == version:
        return None
    if held.waiting is None or held.waiting.version != version:
        return InactiveMapping(name, version, "changed")
    resend = held.waiting.resend
    weight = None if resend is None else ResendWeight(resend, held.waiting.held or 0)
    return InactiveMapping(name, version, held.waiting.why, weight)
