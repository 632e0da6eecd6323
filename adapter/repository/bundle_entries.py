"""What a Bundle asks for, entry by entry (http://hl7.org/fhir/R4/http.html#transaction). Pure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, Literal

from adapter.errors import FhirError
from adapter.fhir.codec import Resource
from adapter.fhir.operation_outcome import Issue
from adapter.repository.interaction_errors import InteractionRefused, interaction_error, issues_of_error
from adapter.repository.patches import Operation, parse_entry_patch
from adapter.repository.pausing import pause
from adapter.repository.prepared_content import PreparedContent
from adapter.repository.request_limits import (
    DEFAULT_LIMITS,
    RequestLimits,
    over_limit,
    require_fitting_resource,
)
from adapter.repository.resource_types import ID_PATTERN, RESOURCE_TYPES
from adapter.repository.search_query import SearchQuery, parse_condition

__all__ = [
    "MAX_REPORTED_ISSUES",
    "Interaction",
    "InteractionChecks",
    "NotUsed",
    "check_resource_id",
    "one_condition",
    "parse_bundle",
    "parse_entry",
    "parse_if_match",
    "require_all_valid",
]

_HEADERS: Final = {"ifMatch": "If-Match", "ifNoneMatch": "If-None-Match", "ifNoneExist": "If-None-Exist"}
MAX_REPORTED_ISSUES: Final = 100
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Interaction:
    """One interaction: an entry of a Bundle, or (position None) one request of its own.

    `id` is what the URL names, `condition` what it asks, or the If-None-Exist of a POST.
    `where` is the FHIRPath of the entry, "" for a request of its own.
    """

    method: Method
    type: str
    id: str | None = None
    condition: SearchQuery | None = None
    resource: Resource | None = None
    if_match: int | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None  # of a GET in a Bundle: an instant
    full_url: str | None = None
    url: str = ""  # of a GET, relative to the base
    position: int | None = None
    where: str = ""
    patch: tuple[Operation, ...] = ()
    verbatim: bool = False  # a document as it came: no reference in it is turned into ours
    prepared: PreparedContent | None = None

    def at(self, path: str) -> str:
        """FHIRPath of `path` ("resource", "request.url") in this entry, for an issue."""
        if self.where:
            return f"{self.where}.{path}"
        head, _, rest = path.partition(".")
        if head != "resource":
            return f"http.{_HEADERS.get(rest, rest)}"
        return f"{self.type}.{rest}" if rest else self.type


@dataclass(frozen=True, slots=True)
class NotUsed:
    """An entry that nothing is done with, beside others that are used: a type that is not taken here."""

    type: str
    full_url: str | None = None
    refusal: FhirError | None = None  # where it is by itself after all; None: it is never refused


@dataclass(frozen=True, slots=True)
class InteractionChecks:
    """What a server takes: its types (None: all of R4), whether it deletes, its validator, its limits."""

    accepts: frozenset[str] | None = None
    deletes: bool = True
    validate: Callable[[Resource], list[Issue]] | None = None
    limits: RequestLimits = DEFAULT_LIMITS
    keeps: frozenset[str] = frozenset()  # what is kept besides and can be read: documents, whole

    def type_refusal(self, resource_type: object, where: str) -> FhirError | None:
        """Why a resource of this type is not taken, or None."""
        if not isinstance(resource_type, str) or resource_type not in RESOURCE_TYPES:
            return interaction_error(400, "structure", "unknown_type", where)
        if self.accepts is not None and resource_type not in self.accepts:
            accepted = ", ".join(sorted(self.accepts))
            return interaction_error(
                422, "not-supported", "type_not_accepted", where, type=resource_type, accepted=accepted
            )
        return None

    def not_here(self, resource_type: object, where: str) -> FhirError | None:
        """The refusal of an interaction with a type of which there is nothing at this server, or None."""
        if error := self.type_refusal(resource_type, where):
            error.status, error.code = 404, "not-supported"
        return error

    def read_refusal(self, resource_type: str, where: str) -> FhirError | None:
        """The same for what is read: of some types more is kept than is taken by itself."""
        return None if resource_type in self.keeps else self.not_here(resource_type, where)

    def check(self, entry: Interaction) -> None:
        """Raise FhirError 413 for a resource beyond the limits, or a refusal (400, or 422 where only rules
        are broken) with its errors, at most MAX_REPORTED_ISSUES.
        """
        if entry.resource is None:
            return
        require_fitting_resource(entry.resource, self.limits, entry.at("resource"))
        if self.validate is None:
            return
        errors = (issue for issue in self.validate(entry.resource) if issue.is_error)
        if issues := [_moved(issue, entry) for issue in islice(errors, MAX_REPORTED_ISSUES)]:
            rules = all(issue.code in ("business-rule", "not-supported", "duplicate") for issue in issues)
            raise InteractionRefused(422 if rules else 400, issues)


def _moved(issue: Issue, entry: Interaction) -> Issue:
    """The issue with its expression starting where the entry is, not at the resource."""
    path = issue.expression or entry.type
    inner = path.partition(".")[2] if path.partition(".")[0] == entry.type else path
    return replace(issue, expression=entry.at(f"resource.{inner}".rstrip(".")))


def parse_if_match(etag: str) -> int:
    """The version that an If-Match names: `W/"3"`, `"3"` or `3`; -1 for `*` (any); 0 for what is none."""
    text = etag.strip()
    if text == "*":
        return -1
    text = text.removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        # An etag that is none of ours matches no version, which is for the caller to say.
        return 0
    return int(text)


def parse_bundle(
    bundle: Resource, checks: InteractionChecks, base: str | None, aside: Collection[int] = ()
) -> list[Interaction | NotUsed | FhirError]:
    """The entries of a batch or transaction in their order; in place of a bad one, its refusal. `aside` are
    places of entries that say something of the Bundle itself.

    Raises FhirError 400 when the Bundle itself is not one that can be processed, 413 when it has
    more than its limit. With MAX_REPORTED_ISSUES said, a transaction is refused as it stands, and each
    further entry of a batch gets one issue: what is wrong must not cost more than what is right.
    """
    if bundle.get("type") not in ("batch", "transaction"):
        raise interaction_error(400, "value", "bundle_type", "Bundle.type")
    listed = bundle.get("entry", [])
    if not isinstance(listed, list):
        raise interaction_error(400, "structure", "not_a_list", "Bundle.entry")
    if len(listed) > checks.limits.max_entries:
        raise over_limit(checks.limits, "max_entries", len(listed), "Bundle.entry")
    parsed: list[Interaction | NotUsed | FhirError] = []
    said = 0
    for position, item in enumerate(listed):
        try:
            if unused := _not_used(item, position, checks, aside):
                parsed.append(unused)
                continue
            entry = parse_entry(item, position, base, checks)
            checks.check(entry)
            parsed.append(entry)
            pause.get()()
        except FhirError as error:
            if said >= MAX_REPORTED_ISSUES:
                if bundle["type"] == "transaction":
                    break
                error = _shortened(error, 1)
            said += len(issues_of_error(error))
            parsed.append(error)
    _unique_full_urls(parsed)
    if not any(isinstance(one, Interaction) for one in parsed):  # of no use at all: that is a refusal
        return [one.refusal or one if isinstance(one, NotUsed) else one for one in parsed]
    return parsed


def _not_used(item: Any, position: int, checks: InteractionChecks, aside: Collection[int]) -> NotUsed | None:
    """A resource of a type that R4 has and that is not taken here is no reason to refuse its neighbours."""
    resource = item.get("resource") if isinstance(item, dict) else None
    type_ = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(type_, str):
        return None
    url = item.get("fullUrl")
    url = url if isinstance(url, str) else None
    if position in aside:
        return NotUsed(type_, url)
    request = item.get("request")
    refusal = checks.type_refusal(type_, f"Bundle.entry[{position}].request.url")
    writes = isinstance(request, dict) and request.get("method") in ("POST", "PUT")
    return NotUsed(type_, url, refusal) if refusal and type_ in RESOURCE_TYPES and writes else None


def _shortened(error: FhirError, most: int) -> FhirError:
    """The refusal with its first issues only."""
    issues = issues_of_error(error)
    return error if len(issues) <= most else InteractionRefused(error.status, issues[:most])


def _unique_full_urls(parsed: list[Interaction | NotUsed | FhirError]) -> None:
    """bdl-7: fullUrl must be unique in a Bundle."""
    first: dict[str, int] = {}
    for position, entry in enumerate(parsed):
        if isinstance(entry, Interaction) and entry.full_url:
            other = first.setdefault(entry.full_url, position)
            if other != position:
                where = f"{entry.where}.fullUrl"
                parsed[position] = interaction_error(400, "duplicate", "same_full_url", where, other=other)


def parse_entry(item: Any, position: int, base: str | None, checks: InteractionChecks) -> Interaction:
    """One entry. Raises FhirError whose expression is the element that is wrong."""
    where = f"Bundle.entry[{position}]"
    if not isinstance(item, dict):
        raise interaction_error(400, "structure", "not_an_object", where)
    request = item.get("request")
    if not isinstance(request, dict):
        raise interaction_error(400, "required", "no_request", f"{where}.request")
    method, url = _method_and_url(request, where, base)
    full_url = item.get("fullUrl")
    if full_url is not None and (not isinstance(full_url, str) or not full_url):
        raise interaction_error(400, "value", "bad_full_url", f"{where}.fullUrl")
    if method in ("GET", "HEAD"):
        return _read_entry(request, method, url, position, checks)
    resource_type, resource_id, condition = _target(method, url, where)
    if error := checks.type_refusal(resource_type, f"{where}.request.url"):
        raise error
    if method == "DELETE" and not checks.deletes:
        raise interaction_error(405, "not-supported", "no_deletes", f"{where}.request.method")
    patch = parse_entry_patch(item, checks.limits, where) if method == "PATCH" else ()
    resource = _resource_of(item, method, resource_type, where)
    if resource is not None:
        check_resource_id(resource, resource_id, f"{where}.resource")
    exist = _text(request, "ifNoneExist", where)
    if exist is not None and method == "POST":
        place = f"{where}.request.ifNoneExist"
        condition = one_condition(
            condition, parse_condition(resource_type, exist, expression=place, base=base)
        )
    match = _text(request, "ifMatch", where)
    return Interaction(
        method, resource_type, resource_id, condition, resource,
        if_match=None if match is None else parse_if_match(match),
        if_none_match=_text(request, "ifNoneMatch", where),
        full_url=full_url, position=position, where=where, patch=patch,
    )  # fmt: skip


def _read_entry(
    request: dict[str, Any], method: Method, url: str, position: int, checks: InteractionChecks
) -> Interaction:
    where = f"Bundle.entry[{position}]"
    at = f"{where}.request.url"
    type_ = url.partition("?")[0].partition("/")[0]
    if not type_:
        raise interaction_error(400, "value", "bad_url", at)
    if type_ != "_history" and (error := checks.read_refusal(type_, at)):
        raise error
    return Interaction(
        method,
        type_,
        url=url,
        position=position,
        where=where,
        if_none_match=_text(request, "ifNoneMatch", where),
        if_modified_since=_text(request, "ifModifiedSince", where),
    )


def one_condition(in_url: SearchQuery | None, stated: SearchQuery) -> SearchQuery:
    """The condition of a create that may say it in its URL too. Raises FhirError 400 where the two differ."""
    if in_url not in (None, stated):
        raise interaction_error(400, "invalid", "two_conditions", "http.If-None-Exist")
    return stated


def _text(request: dict[str, Any], name: str, where: str) -> str | None:
    value = request.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise interaction_error(400, "value", "not_a_text", f"{where}.request.{name}")
    return value


def _method_and_url(request: dict[str, Any], where: str, base: str | None) -> tuple[Any, str]:
    method, url = request.get("method"), request.get("url")
    if method is None:
        raise interaction_error(400, "required", "no_method", f"{where}.request.method")
    if method not in _METHODS:
        raise interaction_error(400, "value", "bad_method", f"{where}.request.method")
    if not isinstance(url, str) or not url:
        raise interaction_error(400, "required", "no_url", f"{where}.request.url")
    if base and (url == base or url.startswith((base + "/", base + "?"))):
        url = url[len(base) :]
    if "://" in url.partition("?")[0]:
        raise interaction_error(400, "value", "url_elsewhere", f"{where}.request.url")
    return method, url.lstrip("/")


def _target(method: str, url: str, where: str) -> tuple[str, str | None, SearchQuery | None]:
    """Type, id and condition of a writing entry's URL."""
    at = f"{where}.request.url"
    path, mark, query = url.partition("?")
    segments = path.rstrip("/").split("/")
    resource_type = segments[0]
    if resource_type not in RESOURCE_TYPES:
        raise interaction_error(400, "not-supported", "unknown_type", at)
    if method == "POST":
        if len(segments) != 1:
            raise interaction_error(400, "value", "post_to_type", at)
        # what some clients mean by criteria in the URL of a create, R4 says with If-None-Exist
        return resource_type, None, parse_condition(resource_type, query, expression=at) if query else None
    if len(segments) == 2 and not mark:
        if not ID_PATTERN.fullmatch(segments[1]):
            raise interaction_error(400, "value", "bad_id", at)
        return resource_type, segments[1], None
    if len(segments) == 1:
        return resource_type, None, parse_condition(resource_type, query, expression=at)
    raise interaction_error(400, "value", "bad_url", at)


def _resource_of(item: dict[str, Any], method: str, resource_type: str, where: str) -> Resource | None:
    resource = item.get("resource")
    if method in ("DELETE", "PATCH"):
        return None  # bdl-3 allows none; one that came along says nothing
    if resource is None:
        raise interaction_error(400, "required", "no_resource", f"{where}.resource")
    if not isinstance(resource, dict):
        raise interaction_error(400, "structure", "not_an_object", f"{where}.resource")
    found = resource.get("resourceType")
    if found != resource_type:
        if found is None:
            raise interaction_error(400, "required", "no_resource_type", f"{where}.resource")
        raise interaction_error(400, "invalid", "type_mismatch", f"{where}.resource", type=resource_type)
    return resource


def check_resource_id(resource: Resource, url_id: str | None, at: str) -> None:
    """Raise FhirError 400 unless the id and meta can stand; with `url_id` the id must be that one."""
    if not isinstance(resource.get("meta", {}), dict):
        raise interaction_error(400, "structure", "not_an_object", f"{at}.meta")
    found = resource.get("id")
    if found is not None and not (isinstance(found, str) and ID_PATTERN.fullmatch(found)):
        raise interaction_error(400, "value", "bad_id", f"{at}.id")
    if url_id is not None and found != url_id:
        raise interaction_error(400, "invalid" if found else "required", "id_mismatch", f"{at}.id")


def require_all_valid(parsed: Sequence[Interaction | NotUsed | FhirError]) -> list[Interaction]:
    """The entries of a transaction. Raises one Refusal that lists the problems of every entry."""
    errors = [item for item in parsed if isinstance(item, FhirError)]
    if errors:
        issues = list(
            islice((issue for error in errors for issue in issues_of_error(error)), MAX_REPORTED_ISSUES)
        )
        status = next((error.status for error in errors if error.status != 422), 422)
        raise InteractionRefused(status, issues)
    return [item for item in parsed if isinstance(item, Interaction)]
