"""What a hospital's resource, in its status, says of the referral that it answers. Pure."""

from typing import Literal

__all__ = ["FulfilmentEffect", "fulfilment_effect"]

FulfilmentEffect = Literal["in-progress", "completed", "failed"]

_EFFECTS: dict[str, dict[str, FulfilmentEffect]] = {
    "Observation": dict.fromkeys(
        ("registered", "preliminary", "final", "amended", "corrected"), "in-progress"
    ),
    "DiagnosticReport": {
        **dict.fromkeys(("registered", "partial", "preliminary"), "in-progress"),
        **dict.fromkeys(("final", "amended", "corrected", "appended"), "completed"),
    },
    "Procedure": {
        **dict.fromkeys(("preparation", "in-progress", "on-hold"), "in-progress"),
        "completed": "completed",
        **dict.fromkeys(("not-done", "stopped"), "failed"),
    },
    "Task": {
        **dict.fromkeys(("received", "accepted", "ready", "in-progress", "on-hold"), "in-progress"),
        "completed": "completed",
        **dict.fromkeys(("rejected", "cancelled", "failed"), "failed"),
    },
    "ServiceRequest": {"completed": "completed", "revoked": "failed"},
}


def fulfilment_effect(type: str, status: str) -> FulfilmentEffect | None:
    """What a resource in that status says about the referral it answers; None: nothing."""
    return _EFFECTS.get(type, {}).get(status)
