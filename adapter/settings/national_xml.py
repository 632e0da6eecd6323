"""Hospitals that send the insurer's XML: where it is dropped, and how its numbers and codes are read."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from adapter.settings.schedule import is_cron

__all__ = ["NationalXmlSettings"]


class NationalXmlSettings(BaseModel):
    """The section [hospitals.NAME.national_xml]. Without a `folder` its files come over HTTPS alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path | None = None  # where its files are put, relative to the settings file
    schedule: Annotated[str, AfterValidator(is_cron)] = "*/5 * * * *"  # cron, Asia/Ho_Chi_Minh
    kept_days: int = Field(30, ge=1, le=3_650)  # of files that were picked up
    system: str = Field("", pattern=r"^\S*$")  # below which its own numbers stand; empty: its base_url
    services: str = Field("", pattern=r"^\S*$")  # code system of MA_DICH_VU; empty: its own
    indicators: str = Field("", pattern=r"^\S*$")  # code system of MA_CHI_SO; empty: its own
