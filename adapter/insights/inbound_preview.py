"""What an inbound mapping makes of a document that somebody has: nothing is stored."""

from dataclasses import dataclass, replace

from adapter.errors import FhirError, MappingError
from adapter.fhir.codec import Resource
from adapter.fhir.operation_outcome import Issue
from adapter.mapping.inbound.conversion import InboundConverter, InboundSender
from adapter.mapping.inbound.loader import InboundMapping, inbound_names, load_inbound
from adapter.pipeline.inbound.inbound_mappings import inbound_sender
from adapter.pipeline.inbound.reception import check_received
from adapter.repository.interaction_errors import issues_of_error
from adapter.repository.request_limits import RequestLimits
from adapter.repository.strict_json import parse_json
from adapter.settings import Settings

__all__ = ["InboundPreview", "PreviewIssue", "inbound_preview", "inbound_problems"]

_NOBODYS = "https://hospital.example"


@dataclass(frozen=True, slots=True)
class PreviewIssue:
    """What is wrong, and where in the document, as its hospital writes it."""

    severity: str
    code: str
    place: str | None
    text: str


@dataclass(frozen=True, slots=True)
class InboundPreview:
    """`bundle` is the transaction that would be stored (None: no document was given, or it cannot be read);
    `types` are those that the mapping makes.
    """

    mapping: str
    types: tuple[str, ...]
    issues: tuple[PreviewIssue, ...]
    bundle: Resource | None

    @property
    def is_refused(self) -> bool:
        """Whether the document would be."""
        return any(one.severity in ("error", "fatal") for one in self.issues)


def inbound_preview(
    settings: Settings, name: str, document: bytes | None, hospital: str | None = None
) -> InboundPreview:
    """As if `hospital` had sent it; without one, whoever has that mapping in the settings. Raises
    MappingError, and SettingsError for a hospital that is not there.
    """
    mapping = load_inbound(settings.mappings_folder, name)
    if document is None:
        return InboundPreview(name, mapping.types, (), None)
    limits = RequestLimits(max_bytes=settings.max_body_bytes, max_depth=settings.max_body_depth)
    try:
        parsed = parse_json(document, limits)
    except FhirError as error:
        return InboundPreview(name, mapping.types, tuple(map(_shown, issues_of_error(error))), None)
    sender = _sender(settings, mapping, hospital)
    converted = InboundConverter(mapping, sender).convert(parsed, limits.max_entries)
    issues = list(converted.issues)
    if not issues:
        for entry, place in zip(converted.bundle["entry"], converted.places, strict=True):
            issues += (_of_part(one, place) for one in check_received(entry["resource"]))
    return InboundPreview(name, mapping.types, tuple(map(_shown, issues)), converted.bundle or None)


def _sender(settings: Settings, mapping: InboundMapping, hospital: str | None) -> InboundSender:
    section = None
    if hospital is None:
        users = [
            one for one in settings.hospitals.values() if one.webhook and one.webhook.mapping == mapping.name
        ]
        if not users:
            return InboundSender("", "", "", _NOBODYS, settings.centre.identifier_system, {}, "", "")
        hospital = users[0].name
    section = settings.hospital(hospital).webhook
    return inbound_sender(settings, hospital, section.system if section else "")


def _of_part(issue: Issue, place: str) -> Issue:
    element = f"{issue.expression}: " if issue.expression else ""
    return replace(issue, text=element + issue.text, expression=place or None)


def _shown(issue: Issue) -> PreviewIssue:
    return PreviewIssue(issue.severity, issue.code, issue.expression, issue.text)


def inbound_problems(settings: Settings) -> tuple[str, ...]:
    """What is wrong with the folder's inbound mappings, and with those that the settings name besides."""
    named = {one.webhook.mapping for one in settings.hospitals.values() if one.webhook}
    problems: list[str] = []
    for name in sorted(named | set(inbound_names(settings.mappings_folder))):
        try:
            load_inbound(settings.mappings_folder, name)
        except MappingError as error:
            problems += (str(error), *error.problems)
    return tuple(problems)
