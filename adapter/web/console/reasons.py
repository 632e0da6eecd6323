"""Why something is not at a hospital, in words of whoever reads it."""

from adapter.texts import has_text
from adapter.web.console.visit import Visit

__all__ = ["reason_words"]

_AREAS = ("plan.why_", "reason.", "disclosure.")


def reason_words(visit: Visit, reason: str) -> str:
    """The words for a reason of planning, delivery or policy; itself where it has none."""
    known = next((f"{area}{reason}" for area in _AREAS if has_text(f"{area}{reason}")), None)
    return visit.t(known) if known else reason
