"""Why a file is refused: what, where, in words without anything of the person's. Pure."""

from dataclasses import dataclass

from adapter.errors import FhirError

__all__ = ["FilePlace", "file_refusal"]


@dataclass(frozen=True, slots=True)
class FilePlace:
    """Where in a file: the visit's number, its sheet, the row, the field. From 1; 0 and "": the whole."""

    visit: int = 0
    sheet: str = ""
    row: int = 0
    field: str = ""

    def __str__(self) -> str:
        """`HOSO[2]/XML4[17]/NGAY_KQ`."""
        parts = (
            f"HOSO[{self.visit}]" if self.visit else "",
            self.sheet + (f"[{self.row}]" if self.row else ""),
            self.field,
        )
        return "/".join(filter(None, parts)) or "GIAMDINHHS"


def file_refusal(
    status: int, code: str, text: str, /, place: FilePlace | None = None, **params: str | int
) -> FhirError:
    """A refusal: HTTP status, issue-type of FHIR R4, a text of the area `national_xml`, and where."""
    where = str(place or FilePlace())
    return FhirError(status, code, f"national_xml.{text}", expression=where, place=where, **params)
