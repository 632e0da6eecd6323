"""Records as resources, before any policy: for whoever tries a source."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapter.errors import MappingError
from adapter.pipeline.application import Adapter
from adapter.records.model import Record
from adapter.texts import say

__all__ = ["as_resources"]


def as_resources(
    adapter: Adapter, records: Mapping[str, Sequence[Record]]
) -> dict[str, list[Mapping[str, Any] | str]]:
    """Kind -> the resources of its records as the first hospital of the settings would see them, or words
    where one cannot be mapped; nothing where there is no hospital.
    """
    if not adapter.settings.hospitals:
        return {}
    engine = adapter.destination(next(iter(adapter.settings.hospitals))).engine
    found: dict[str, list[Mapping[str, Any] | str]] = {}
    for kind, listed in records.items():
        for record in listed:
            try:
                found.setdefault(kind, []).extend(one.resource for one in engine.map(record))
            except MappingError as error:
                found.setdefault(kind, []).append(say("source.check_problem", problem=str(error)))
    return found
