"""In which characters a message is written: MSH-18, the hospital's setting, old Vietnamese fonts. Pure."""

from collections.abc import Callable
from typing import Final, Literal

from adapter.hl7v2.refusals import BAD_VALUE, UNKNOWN_CODE, SegmentPlace, refusal
from adapter.records.sheets.vietnamese_text.legacy_encodings import read_as

__all__ = ["Charset", "MessageText", "decode_message"]

Charset = Literal["utf-8", "iso-8859-1", "tcvn3", "vni"]
_FONTS: Final = {"tcvn3": "TCVN3 (ABC)", "vni": "VNI"}
_NAMES: Final[dict[str, Charset]] = {  # of table 0211
    "UNICODE UTF-8": "utf-8",
    "UNICODE": "utf-8",  # of 2.3.1: no encoding is said, and only this one has bytes of ASCII
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "8859/1": "iso-8859-1",
    "ISO-8859-1": "iso-8859-1",
    "ISO IR100": "iso-8859-1",
}
_PLACE: Final = SegmentPlace("MSH", 1, 18)
_BOM: Final = b"\xef\xbb\xbf"


class MessageText:
    """A message as text, and how what stands in its fields is read."""

    def __init__(self, text: str, charset: Charset) -> None:
        self.text = text
        self.charset = charset
        self._font = _FONTS.get(charset)

    def read(self, text: str) -> str:
        """What a field says: of an old font the letters that were meant."""
        return text if self._font is None or text.isascii() else read_as(self._font, text)

    def decode(self, data: bytes) -> str:
        """What the bytes of an escape sequence are. Raises UnicodeDecodeError."""
        return _page(data) if self._font else data.decode(self.charset)


def decode_message(data: bytes, declared: str, default: Charset) -> MessageText:
    """The message's text. `declared` is MSH-18, its first repetition. Fonts have no name there: what says
    that it is 8859/1, or nothing, is in the `default` of the hospital. Raises MessageRefused.
    """
    charset = _charset(declared.strip().upper(), default)
    decode: Callable[[bytes], str] = _page if charset in _FONTS else lambda one: one.decode(charset)
    try:
        return MessageText(decode(data.removeprefix(_BOM)), charset)
    except UnicodeDecodeError:
        raise refusal("AE", BAD_VALUE, "not_in_charset", _PLACE, charset=charset) from None


def _charset(declared: str, default: Charset) -> Charset:
    if declared in ("", "ASCII"):  # many that send more say so
        return default
    found = _NAMES.get(declared)
    if found is None:
        raise refusal("AE", UNKNOWN_CODE, "unknown_charset", _PLACE)
    return default if found == "iso-8859-1" and default in _FONTS else found


def _page(data: bytes) -> str:
    """Windows-1252, in which an old font is read; bytes that it does not have are Latin-1."""
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")
