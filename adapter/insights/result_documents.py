"""The documents that came with a person's results, as files that nobody else may read."""

import base64
import binascii
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from adapter.fhir import codec
from adapter.pipeline.application import Adapter
from adapter.records.model import Result
from adapter.result_content import ResultAttachment, ResultContent

__all__ = ["write_documents"]

# What a document is called by its type; any other is kept as bytes.
_ENDINGS = {
    "application/pdf": ".pdf",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/tiff": ".tif",
    "application/dicom": ".dcm",
    "text/plain": ".txt",
    "text/rtf": ".rtf",
    "application/rtf": ".rtf",
}
_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?\.?")


def write_documents(adapter: Adapter, cadre: str, folder: Path) -> Sequence[str]:
    """Write each document whose bytes are here into `folder`; their names, which tell nothing but the key of
    the result and a number. HTML is written as `.bin`: a browser would run what is in it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = []
    for one in adapter.records.of_cadre(cadre):
        if isinstance(one, Result):
            for number, (type_, data) in enumerate(_documents(adapter, one), start=1):
                name = f"{one.key}-{number}{_ENDINGS.get(type_, '.bin')}"
                with os.fdopen(_private(folder / name), "wb") as file:
                    file.write(data)
                written.append(name)
    return written


def _private(path: Path) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)  # it may have been there
    return descriptor


def _documents(adapter: Adapter, result: Result) -> Iterator[tuple[str, bytes]]:
    resource = codec.loads(result.resource)
    for attachment in _attachments(result.content):
        found = _at(resource, attachment.place)
        if not found.get("data") and attachment.url and attachment.url.startswith("Binary/"):
            found = adapter.inbox.newest_version(result.hospital, attachment.url) or {}
        data = found.get("data")
        if isinstance(data, str):
            try:
                yield attachment.content_type or "", base64.b64decode("".join(data.split()), validate=True)
            except (binascii.Error, ValueError):
                continue  # `unreadable` says so


def _attachments(content: ResultContent | None) -> Iterator[ResultAttachment]:
    if content is not None:
        yield from content.attachments
        for member in content.members:
            if member.content is not None and (member.reference or "#").startswith(("#", "contained")):
                yield from _attachments(member.content)


def _at(resource: Any, place: str) -> dict[str, Any]:
    """What is at a place such as `contained[0].presentedForm[1]`; nothing where there is no such place."""
    for name, number in _STEP.findall(place):
        resource = resource.get(name) if isinstance(resource, dict) else None
        if number:
            listed = resource if isinstance(resource, list) else [resource]
            resource = listed[int(number)] if int(number) < len(listed) else None
    return resource if isinstance(resource, dict) else {}
