"""The parts of a result, wherever it was recorded."""

from functools import cached_property, lru_cache
from pathlib import Path

from adapter.fhir import codec
from adapter.mapping.result_extraction import EXTRACTED_TYPES
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.mapping.result_reading.reading import SiblingLookup, is_of_the_same, read_content
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.pipeline.application import Adapter
from adapter.records.model import Result
from adapter.result_content import ResultContent, ResultMember

__all__ = ["current_content", "item_content", "known_measures"]


def known_measures(adapter: Adapter) -> KnownMeasures:
    """Our measures, as the code tables of the folder say. Tables with mistakes stop no result: what is wrong
    in them is told where mappings are checked.
    """
    folder = adapter.settings.mappings_folder / "codes"
    stamps = ((one.name, (said := one.stat()).st_mtime_ns, said.st_size) for one in folder.glob("*.csv"))
    return _measures_of(folder, tuple(sorted(stamps)))


@lru_cache(maxsize=4)
def _measures_of(folder: Path, _stamps: tuple[tuple[str, int, int], ...]) -> KnownMeasures:
    """Read once for every state of the files: a page of the console waits for no table."""
    return KnownMeasures(load_code_tables(folder, []))


def current_content(adapter: Adapter, result: Result, known: KnownMeasures) -> ResultContent:
    """What the record holds of a result, and what it lists as that is now: a member may have been corrected,
    or have come only after the report. A result that was recorded before results had parts is read anew.
    """

    def siblings(reference: str) -> codec.Resource | None:
        return adapter.inbox.newest_version(result.hospital, reference)

    if result.content is None:
        return read_content(codec.loads(result.resource), known=known, siblings=siblings)
    return _Refresher(result, known, siblings).refreshed(result.content)


def item_content(adapter: Adapter, hospital: str, resource: codec.Resource) -> ResultContent | None:
    """What a result says that a hospital sent, be it in a record or not; None for anything else."""
    if resource.get("resourceType") not in EXTRACTED_TYPES:
        return None
    return read_content(
        resource,
        known=known_measures(adapter),
        siblings=lambda reference: adapter.inbox.newest_version(hospital, reference),
    )


class _Refresher:
    def __init__(self, result: Result, known: KnownMeasures, siblings: SiblingLookup) -> None:
        self._result = result
        self._known = known
        self._siblings = siblings
        self._seen = {result.content.source if result.content else None}

    @cached_property
    def _resource(self) -> codec.Resource:
        parsed: codec.Resource = codec.loads(self._result.resource)
        return parsed

    def refreshed(self, content: ResultContent) -> ResultContent:
        """The content with its members as they are now."""
        members = tuple(map(self._member, content.members))
        return content if members == content.members else content.model_copy(update={"members": members})

    def _member(self, one: ResultMember) -> ResultMember:
        reference = (one.reference or "").split("/_history/", 1)[0]
        if reference in self._seen or reference.count("/") != 1 or ":" in reference:
            return one  # shown already; or contained, or on another server: as it came
        self._seen.add(reference)
        newest = self._siblings(reference)
        if newest is None or newest.get("resourceType") not in EXTRACTED_TYPES:
            return one
        version = newest["meta"].get("versionId") if isinstance(newest.get("meta"), dict) else None
        if one.content is not None and version == one.content.version:
            return one.model_copy(update={"content": self.refreshed(one.content)})
        if not is_of_the_same(self._resource, newest):
            return one.model_copy(update={"content": None, "other_subject": True})
        read = read_content(newest, known=self._known, siblings=self._siblings)
        return one.model_copy(update={"content": read, "other_subject": False})
