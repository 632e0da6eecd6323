"""An entry of a transaction that is a conditional update by an identifier: what comes again under it is the
next version of the same resource. Pure.
"""

from typing import Final
from urllib.parse import quote
from uuid import UUID, uuid5

from adapter.fhir.codec import Resource

__all__ = ["named_url", "update_entry"]

_NAMES: Final = UUID("6d8a4d8e-7d1f-5a53-9a1d-2c6f3d1e7b20")  # of the fullUrls within one transaction
_SEARCHED: Final = str.maketrans(
    {letter: f"\\{letter}" for letter in "\\|,$"}
)  # what a search would split at


def named_url(type_: str, system: str, value: str) -> str:
    """The fullUrl of the entry, the same for the same identifier."""
    return f"urn:uuid:{uuid5(_NAMES, '|'.join((type_, system, value)))}"


def update_entry(resource: Resource, system: str, value: str) -> Resource:
    """The entry that updates, or creates, the resource with that identifier."""
    type_ = resource["resourceType"]
    token = f"{system.translate(_SEARCHED)}|{value.translate(_SEARCHED)}"
    request = {"method": "PUT", "url": f"{type_}?identifier={quote(token, safe='')}"}
    return {"fullUrl": named_url(type_, system, value), "resource": resource, "request": request}
