"""The parts of a result, wherever it was recorded."""

from adapter.fhir import codec
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.mapping.result_reading.reading import read_content
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.pipeline.application import Adapter
from adapter.records.model import Result
from adapter.result_content import ResultContent

__all__ = ["content_of", "known_measures"]


def known_measures(adapter: Adapter) -> KnownMeasures:
    """Our measures, as the code tables of the folder say. Tables with mistakes stop no result: what is wrong
    in them is told where mappings are checked.
    """
    return KnownMeasures(load_code_tables(adapter.settings.mappings_folder / "codes", []))


def content_of(adapter: Adapter, result: Result, known: KnownMeasures) -> ResultContent:
    """What the record holds of a result. One that was recorded before results had parts is read anew."""
    if result.content is not None:
        return result.content
    return read_content(
        codec.loads(result.resource),
        known=known,
        siblings=lambda reference: adapter.inbox.newest_version(result.hospital, reference),
    )
