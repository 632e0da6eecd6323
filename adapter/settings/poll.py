"""A hospital whose server may only be read: what is asked for there, and how often."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from adapter.settings.schedule import is_cron

__all__ = ["PollSettings"]

_Type = Literal["DiagnosticReport", "Observation", "Procedure", "Task"]


class PollSettings(BaseModel):
    """The section [hospitals.NAME.poll]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    types: tuple[_Type, ...] = Field(("Task", "Observation", "Procedure", "DiagnosticReport"), min_length=1)
    every: Annotated[str, AfterValidator(is_cron)] = "*/5 * * * *"  # cron, Asia/Ho_Chi_Minh
    by: Literal["search", "history"] = "search"  # _lastUpdated, or _history?_since
    overlap_seconds: int = Field(600, ge=0, le=604_800)  # read again before the watermark
    first_days: float = Field(30, gt=0, le=3_650)  # how far back the first time
    page_size: int = Field(100, ge=1, le=1_000)
    max_pages: int = Field(200, ge=1, le=10_000)  # of one type at one time
