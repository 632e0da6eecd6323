"""The envelope: GIAMDINHHS with its visits (HOSO), each with its sheets (FILEHOSO). Pure.

A sheet is base64 of XML, as the rules have it, or the XML itself, as some programs write it. Only the sheets
that are converted are opened. What a file says of how many visits it has must be true: one that was cut and
closed again is refused.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from adapter.errors import ImportRefused
from adapter.national_xml.refusals import FilePlace, file_refusal
from adapter.national_xml.rows import SheetRow
from adapter.records.sources.checkup.xml_parser import XmlElement, read_document

__all__ = ["ROWS_OF_SHEETS", "Dossier", "dossiers_of", "parse_file"]

ROWS_OF_SHEETS: Final[Mapping[str, str]] = {
    "XML1": "TONG_HOP",
    "XML3": "CHI_TIET_DVKT",  # for the names of services alone
    "XML4": "CHI_TIET_CLS",
    "XML7": "CHI_TIEU_DU_LIEU_GIAY_RA_VIEN",
    "XML8": "CHI_TIEU_DU_LIEU_TOM_TAT_HO_SO_BENH_AN",
    "XML13": "CHI_TIEU_GIAYCHUYENTUYEN",
    "XML14": "CHI_TIEU_GIAYHEN_KHAMLAI",
}
"""Sheet -> the element of one row."""

ENVELOPE: Final = "GIAMDINHHS"
_MOST_ELEMENTS: Final = 100_000  # of the envelope, and of each sheet


@dataclass(frozen=True, slots=True)
class Dossier:
    """One HOSO: the rows of its sheets, and the sheets that are not read."""

    number: int
    sheets: Mapping[str, tuple[SheetRow, ...]]
    unread: tuple[str, ...]

    def rows(self, sheet: str) -> tuple[SheetRow, ...]:
        """The rows of a sheet, in their order."""
        return self.sheets.get(sheet, ())


def parse_file(data: bytes) -> XmlElement:
    """The file's outermost element. Raises FhirError."""
    return _document(data, FilePlace(), "XML")


def dossiers_of(root: XmlElement) -> list[Dossier]:
    """The visits of an envelope. Raises FhirError."""
    dossiers = list(root.descendants("HOSO"))
    if not dossiers:
        raise file_refusal(422, "required", "no_visit")
    said = next(iter(root.descendants("SOLUONGHOSO")), None)
    if said is not None and said.text.isdecimal() and int(said.text[:9]) != len(dossiers):
        raise file_refusal(422, "value", "visits_missing", said=int(said.text[:9]), found=len(dossiers))
    return [_dossier(one, number) for number, one in enumerate(dossiers, 1)]


def _dossier(dossier: XmlElement, number: int) -> Dossier:
    sheets: dict[str, list[SheetRow]] = {}
    unread = []
    for file in dossier.descendants("FILEHOSO"):
        name = file.find_text("LOAIHOSO").upper()
        if name not in ROWS_OF_SHEETS:
            unread.append(name[:10])
            continue
        rows = sheets.setdefault(name, [])
        for content in file.find_all("NOIDUNGFILE"):
            for element in _rows(content, name, FilePlace(number, name)):
                rows.append(SheetRow(element, FilePlace(number, name, len(rows) + 1)))
    return Dossier(number, {name: tuple(rows) for name, rows in sheets.items()}, tuple(unread))


def _rows(content: XmlElement, name: str, place: FilePlace) -> Iterator[XmlElement]:
    """The rows that a NOIDUNGFILE holds. One that says something and has no row is another sheet's."""
    wanted = ROWS_OF_SHEETS[name]
    inside: XmlElement | None = content if content.children else None
    if inside is None and content.text:
        inside = _document(_decoded(content.text, place), place, name)
    found = list(inside.descendants(wanted)) if inside is not None else []
    if inside is not None and not found and _says_something(inside):
        raise file_refusal(422, "structure", "no_rows", place, element=wanted)
    yield from found


def _decoded(text: str, place: FilePlace) -> bytes:
    if text.startswith("<"):
        return text.encode()
    try:
        return base64.b64decode("".join(text.split()), validate=True).strip()
    except (binascii.Error, ValueError):
        raise file_refusal(400, "structure", "bad_base64", place) from None


def _says_something(element: XmlElement) -> bool:
    return bool(element.text) or any(
        _says_something(child) for children in element.children.values() for child in children
    )


def _document(data: bytes, place: FilePlace, label: str) -> XmlElement:
    try:
        return read_document(data, label, most=len(data) + 1, most_elements=_MOST_ELEMENTS)
    except ImportRefused as error:
        raise file_refusal(400, "structure", "bad_xml", place, said=str(error)) from None
