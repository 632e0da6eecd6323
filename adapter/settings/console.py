"""The section [console]: where the centre's own staff open the console."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ConsoleSettings"]


class ConsoleSettings(BaseModel):
    """Where `adapter console` listens, and under which address browsers see it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8090, ge=1, le=65535)
    url: str | None = Field(None, pattern=r"^https?://[^/\s]+/?$")  # None: only on this machine
