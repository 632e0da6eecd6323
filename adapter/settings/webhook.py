"""How a hospital's own JSON comes (POST /webhook): by which mapping it is read, and how it is signed."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from adapter.settings.secrets import SecretRef
from adapter.texts import say

__all__ = ["WebhookSettings"]

_MOST_KEYS = 2  # the one in use, and the next


def _few(value: dict[str, SecretRef]) -> dict[str, SecretRef]:
    if len(value) > _MOST_KEYS:
        raise ValueError(say("settings.many_webhook_keys", most=_MOST_KEYS))
    return value


class WebhookSettings(BaseModel):
    """The section [hospitals.NAME.webhook]. `keys` are secrets by the name that a signature says it was made
    with: two, while one is replaced.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mapping: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$")  # mappings/inbound/NAME.yaml
    keys: Annotated[
        dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,60}$")], SecretRef], AfterValidator(_few)
    ] = Field(default_factory=dict)  # none: it comes with a token
    header: str = Field("Webhook-Signature", pattern=r"^[A-Za-z0-9-]+$")
    window_seconds: int = Field(300, ge=10, le=86_400)  # that a signature is believed, before and after
    system: str = Field("", pattern=r"^\S*$")  # below which its own numbers stand; empty: its base_url
