"""The parts of a result, wherever it was recorded."""

from adapter.fhir import codec
from adapter.mapping.result_extraction import EXTRACTED_TYPES
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.mapping.result_reading.reading import SiblingLookup, read_content
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.pipeline.application import Adapter
from adapter.records.model import Result
from adapter.result_content import ResultContent, ResultMember

__all__ = ["current_content", "known_measures"]


def known_measures(adapter: Adapter) -> KnownMeasures:
    """Our measures, as the code tables of the folder say. Tables with mistakes stop no result: what is wrong
    in them is told where mappings are checked.
    """
    return KnownMeasures(load_code_tables(adapter.settings.mappings_folder / "codes", []))


def current_content(adapter: Adapter, result: Result, known: KnownMeasures) -> ResultContent:
    """What the record holds of a result, and what it lists as that is now: a member may have been corrected,
    or have come only after the report. A result that was recorded before results had parts is read anew.
    """

    def siblings(reference: str) -> codec.Resource | None:
        return adapter.inbox.newest_version(result.hospital, reference)

    content = result.content
    if content is None:
        return read_content(codec.loads(result.resource), known=known, siblings=siblings)
    return _refreshed(content, siblings, known, {content.source})


def _refreshed(
    content: ResultContent, siblings: SiblingLookup, known: KnownMeasures, seen: set[str | None]
) -> ResultContent:
    members = tuple(_refreshed_member(one, siblings, known, seen) for one in content.members)
    return content if members == content.members else content.model_copy(update={"members": members})


def _refreshed_member(
    one: ResultMember, siblings: SiblingLookup, known: KnownMeasures, seen: set[str | None]
) -> ResultMember:
    reference = (one.reference or "").split("/_history/", 1)[0]
    if reference in seen or reference.count("/") != 1 or ":" in reference:
        return one  # shown already; or contained, or on another server: as it came
    seen.add(reference)
    newest = siblings(reference)
    if newest is None or newest.get("resourceType") not in EXTRACTED_TYPES:
        return one
    version = newest["meta"].get("versionId") if isinstance(newest.get("meta"), dict) else None
    if one.content is not None and version == one.content.version:
        return one.model_copy(update={"content": _refreshed(one.content, siblings, known, seen)})
    return one.model_copy(update={"content": read_content(newest, known=known, siblings=siblings)})
