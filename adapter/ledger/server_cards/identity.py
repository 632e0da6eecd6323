"""Which server it is that stands at an address: the address, and what it says of itself (pure)."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

__all__ = ["ON_PAGE", "is_another_server", "self_description", "server_address"]

ON_PAGE = "page"
"""Stands in an address's place where a hospital has no server but its page."""
_PORTS = {"http": 80, "https": 443}
_VERSION = re.compile(r"\bv?\d[\w.+-]*")  # an upgrade makes no other server
_MAX_CHARS = 150
_BETWEEN = " | "


def server_address(base_url: str | None) -> str:
    """A FHIR base in the one form that is kept and compared: letter case of scheme and host, a usual port
    and closing slashes make no difference. Credentials in it are left out, since it is stored and shown.
    """
    if base_url is None:
        return ON_PAGE
    parts = urlsplit(base_url.strip())
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port not in (None, _PORTS.get(scheme)) else ""
    return f"{scheme}://{host}{port}{parts.path.rstrip('/')}"[:500]


def self_description(statement: object) -> str | None:
    """What a CapabilityStatement says the server is, as "software | description | url"; None where it is no
    CapabilityStatement, or names nothing. The software's version is left out: it changes.
    """
    if not isinstance(statement, Mapping) or statement.get("resourceType") != "CapabilityStatement":
        return None
    software, where = (_part(statement, name) for name in ("software", "implementation"))
    words = [_plain(software.get("name")), _plain(where.get("description")), _plain(where.get("url"))]
    return _BETWEEN.join(words) if any(words) else None


def _part(statement: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = statement.get(name)
    return found if isinstance(found, Mapping) else {}


def _plain(value: object) -> str:
    return " ".join(value.replace("|", "/").split())[:_MAX_CHARS] if isinstance(value, str) else ""


def is_another_server(before: str | None, after: str | None) -> bool:
    """Whether two self-descriptions are of two servers: the software's name or the description differs, but
    for versions. The url in it is no sign: behind a balancer each node may say its own. What is not known
    is no sign either.
    """
    if before is None or after is None:
        return False
    pairs = zip(before.split(_BETWEEN)[:2], after.split(_BETWEEN)[:2], strict=False)
    return any(left and right and _timeless(left) != _timeless(right) for left, right in pairs)


def _timeless(words: str) -> str:
    return " ".join(_VERSION.sub("", words).lower().split())
