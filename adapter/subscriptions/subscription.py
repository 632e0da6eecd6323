"""What a hospital's Subscription asks for, and whether it can be done (pure)."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address
from typing import Any, Final
from urllib.parse import urlsplit

from adapter.fhir.codec import Resource
from adapter.fhir.operation_outcome import Issue
from adapter.subscriptions import topic
from adapter.subscriptions.header import MAX_HEADERS, header_problem, masked
from adapter.texts import say

__all__ = [
    "MIN_HEARTBEAT",
    "SubscribedChannel",
    "bare_subscription",
    "check_subscription",
    "is_listed",
    "origin_of",
    "read_channel",
    "shown_subscription",
    "split_headers",
]

MIN_HEARTBEAT: Final = 60  # seconds
_MAX_TIMEOUT: Final = 60
_DEFAULT_TIMEOUT: Final = 30.0
_MAX_COUNT: Final = 50  # events in a notification, whatever is asked for
_JSON: Final = ("application/fhir+json", "application/json", "json")
_LABEL: Final = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_HOST: Final = 253
_PORTS: Final = {"https": 443, "http": 80}
_ASKED: Final = ("requested", "active", "off")  # what a hospital may ask to be
_ELSEWHERE: Final = ("id", "meta", "status", "error")  # kept beside the resource, or made


@dataclass(frozen=True, slots=True)
class SubscribedChannel:
    """Where and how notifications go. Seconds; `max_count` is of events in one notification."""

    endpoint: str
    ends: datetime | None = None
    heartbeat: int | None = None
    timeout: float = _DEFAULT_TIMEOUT
    max_count: int = _MAX_COUNT
    content_type: str = _JSON[0]


def origin_of(url: str) -> str | None:
    """Scheme, host and port of an address, as two are compared; None where it is none, or holds a login. A
    setting without a scheme means https.
    """
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").removesuffix(".")
    is_host = _is_address(host) if "[" in parts.netloc else _is_name(host)
    if parts.scheme not in _PORTS or not is_host or "@" in parts.netloc:
        return None
    return f"{parts.scheme}://{host}:{port or _PORTS[parts.scheme]}"


def _is_address(text: str) -> bool:
    """Of IPv6: what brackets are for (RFC 3986 §3.2.2)."""
    with suppress(ValueError):
        return bool(IPv6Address(text))
    return False


def _is_name(text: str) -> bool:
    """What can be looked up (RFC 1123 §2.1, and `_`), or an address of IPv4."""
    return len(text) <= _LONGEST_HOST and _HOST.fullmatch(text) is not None


def is_listed(endpoint: str, hosts: Collection[str]) -> bool:
    """Whether an address is at one of the hosts that the settings list."""
    origin = origin_of(endpoint)
    return origin is not None and origin in {origin_of(one) for one in hosts}


def read_channel(resource: Mapping[str, Any]) -> SubscribedChannel:
    """The channel of a resource that was checked."""
    channel = resource["channel"]
    end, heartbeat = resource.get("end"), _value(channel, topic.HEARTBEAT_PERIOD)
    timeout, most = _value(channel, topic.TIMEOUT), _value(channel, topic.MAX_COUNT)
    return SubscribedChannel(
        endpoint=channel["endpoint"],
        ends=_instant(end),
        heartbeat=heartbeat or None,
        timeout=float(timeout or _DEFAULT_TIMEOUT),
        max_count=min(most or _MAX_COUNT, _MAX_COUNT),
        content_type=_media_type(channel) if "/" in _media_type(channel) else _JSON[0],
    )


def check_subscription(
    resource: Mapping[str, Any], topic_urls: Collection[str], hosts: Collection[str], now: datetime
) -> list[Issue]:
    """What of a resource that is valid by R4 cannot be done here. `hosts` are those in the settings."""
    return list(_issues(resource, topic_urls, hosts, now))


def _issues(
    resource: Mapping[str, Any], topics: Collection[str], hosts: Collection[str], now: datetime
) -> Iterator[Issue]:
    channel = resource["channel"]
    if resource["status"] not in (*_ASKED, "error"):
        yield _issue("status", "status")
    if resource["criteria"] not in topics:
        yield _issue("criteria", "topic", topic=" ".join(sorted(topics)))
    if _value(resource.get("_criteria"), topic.FILTER_CRITERIA) is not None:
        yield _issue("criteria.extension", "filter")
    if "end" in resource and ((ends := _instant(resource["end"])) is None or ends <= now):
        yield _issue("end", "ended")
    if resource.get("contained"):
        yield _issue("contained", "contained")
    if channel["type"] != "rest-hook" or _value(channel.get("_type"), topic.CHANNEL_TYPE) is not None:
        yield _issue("channel.type", "channel")
    yield from _payload_issues(channel)
    yield from _number_issues(channel)
    yield from _endpoint_issues(channel, hosts)
    if (problem := header_problem(channel.get("header") or [])) is not None:
        yield _issue("channel.header", f"header_{problem}", most=MAX_HEADERS)


def _payload_issues(channel: Mapping[str, Any]) -> Iterator[Issue]:
    if _media_type(channel) not in _JSON:
        yield _issue("channel.payload", "payload")
    if _value(channel.get("_payload"), topic.PAYLOAD_CONTENT) != "id-only":
        yield _issue("channel.payload.extension", "content", url=topic.PAYLOAD_CONTENT)


def _media_type(channel: Mapping[str, Any]) -> str:
    return str(channel.get("payload", "")).partition(";")[0].strip().lower()


def _number_issues(channel: Mapping[str, Any]) -> Iterator[Issue]:
    allowed = {
        topic.HEARTBEAT_PERIOD: (MIN_HEARTBEAT, 31 * 86_400),
        topic.TIMEOUT: (1, _MAX_TIMEOUT),
        topic.MAX_COUNT: (1, 2**31 - 1),
    }
    for url, (least, most) in allowed.items():
        value = _value(channel, url)
        if value is not None and (type(value) is not int or not least <= value <= most):
            name = url.rpartition("/backport-")[2]
            yield _issue("channel.extension", "number", name=name, least=least, most=most)


def _endpoint_issues(channel: Mapping[str, Any], hosts: Collection[str]) -> Iterator[Issue]:
    """Only where the centre says so: whoever could name any address would have this server ask within its own
    network.
    """
    endpoint = str(channel.get("endpoint", ""))
    is_plain = endpoint.isascii() and endpoint.isprintable() and "#" not in endpoint and "://" in endpoint
    origin = origin_of(endpoint) if is_plain else None
    if origin is None:
        yield _issue("channel.endpoint", "endpoint")
    elif not hosts:
        yield _issue("channel.endpoint", "no_hosts")
    elif not is_listed(endpoint, hosts):
        yield _issue("channel.endpoint", "host")


def _issue(element: str, text: str, **params: object) -> Issue:
    code = "not-supported" if text not in ("status", "ended", "endpoint") else "value"
    return Issue("error", code, say(f"subscription.{text}", **params), f"Subscription.{element}")


def _instant(text: object) -> datetime | None:
    """None also for a leap second, which Python has no moment for."""
    with suppress(ValueError):
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    return None


def _value(element: object, url: str) -> Any:
    """The value of an extension of that URL."""
    extensions = element.get("extension") if isinstance(element, dict) else None
    for one in extensions if isinstance(extensions, list) else ():
        if isinstance(one, dict) and one.get("url") == url:
            return next((value for name, value in one.items() if name.startswith("value")), "")
    return None


def split_headers(resource: Resource) -> tuple[Resource, list[str]]:
    """The resource as it is kept, with its header lines masked, and those lines."""
    lines = [str(line) for line in resource["channel"].get("header") or ()]
    kept = {name: value for name, value in resource.items() if name not in _ELSEWHERE}
    if isinstance(meta := resource.get("meta"), dict):
        own = {name: value for name, value in meta.items() if name not in ("versionId", "lastUpdated")}
        kept |= {"meta": own} if own else {}
    channel = {name: value for name, value in resource["channel"].items() if name != "_header"}
    kept["channel"] = channel | ({"header": [masked(line) for line in lines]} if lines else {})
    return kept, lines


def bare_subscription(kept: Mapping[str, Any]) -> Resource:
    """The resource without the texts that nothing goes by."""
    bare = {name: kept[name] for name in ("resourceType", "criteria", "channel", "end") if name in kept}
    return {**bare, "reason": "-"}


def shown_subscription(
    kept: Mapping[str, Any], *, id: str, version: int, updated: datetime, status: str, problem: str | None
) -> Resource:
    """The resource as it is read: what was sent, without what its headers hold, and how it stands."""
    moment = updated.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    meta = {**kept.get("meta", {}), "versionId": str(version), "lastUpdated": moment}
    rest = {name: value for name, value in kept.items() if name not in ("resourceType", "meta")}
    shown = {"resourceType": "Subscription", "id": id, "meta": meta, "status": status, **rest}
    if problem is not None:
        shown["error"] = say(f"subscription.problem-{problem}")
    return shown
