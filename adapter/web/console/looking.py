"""Why somebody looks at a person, a result or a record's way: a word of a list, which the audit keeps."""

from typing import Final

from adapter.web.console.visit import Visit

__all__ = ["LOOKS", "look_choices", "look_reason"]

LOOKS: Final = ("care", "result", "referral", "check-up", "phone-call", "correction", "question")
"""What people may look for; on a person's page who says none looks for care."""


def look_reason(said: str, otherwise: str = LOOKS[0]) -> str:
    """What was said, where it is a word of the list."""
    return said if said in LOOKS else otherwise


def look_choices(visit: Visit) -> list[tuple[str, str]]:
    """Each with its words."""
    return [(one, visit.t(f"console_people.why_{one.replace('-', '_')}")) for one in LOOKS]
