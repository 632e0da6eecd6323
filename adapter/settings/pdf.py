"""PDFs of hospitals: whose signatures are trusted, and the folder that a hospital drops its own into."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["PdfFolderSettings", "PdfSettings"]


class PdfSettings(BaseModel):
    """The section [pdf]. The file is PEM, relative to the settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trusted_roots: Path | None = None  # None: of signatures the facts are said, and nothing of trust


class PdfFolderSettings(BaseModel):
    """The section [hospitals.NAME.pdf]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path | None = None  # relative to the settings file; None: it has none
    final: bool = False  # whether what lies there is all there is to say of a referral
    quiet_seconds: float = Field(30, ge=1, le=86_400)  # that a file rests before it is read
    done_days: float = Field(
        7, ge=0, le=3_650
    )  # that what was taken in stays in done/; 0: it is removed at once
    refused_days: float = Field(90, ge=1, le=3_650)  # that what was refused stays in refused/
