"""The forms of a page of the console, as a browser would send them if nobody wrote anything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from console_browser import check_html

__all__ = ["FoundForm", "forms_of"]

_HTML = "{http://www.w3.org/1999/xhtml}"
_NOT_SENT = ("checkbox", "radio", "file", "submit")


@dataclass(frozen=True)
class FoundForm:
    """Where it is sent, and what stands in it: fields by name."""

    action: str
    fields: Mapping[str, str]


def forms_of(text: str) -> Iterator[FoundForm]:
    """Those that are posted, in order."""
    for form in check_html(text).iter(f"{_HTML}form"):
        if form.get("method") == "post":
            yield FoundForm(form.get("action"), dict(_fields(form)))


def _fields(form: Any) -> Iterator[tuple[str, str]]:
    for one in form.iter():
        name = one.get("name")
        kind = one.tag.removeprefix(_HTML)
        if not name:
            continue
        if kind == "input" and (one.get("type") not in _NOT_SENT or one.get("checked") is not None):
            yield name, one.get("value", "")
        elif kind == "select":
            options = list(one.iter(f"{_HTML}option"))
            chosen = [each for each in options if each.get("selected") is not None] or options[:1]
            yield from ((name, each.get("value", "")) for each in chosen)
        elif kind == "textarea":
            yield name, one.text or ""
