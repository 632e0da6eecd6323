"""The code tables written as FHIR terminology resources, for others."""

from dataclasses import dataclass
from pathlib import Path

import orjson

from adapter.mapping.terminology.fhir_publication import code_table_resources
from adapter.pipeline.mapping_loading import load_mappings
from adapter.settings import Settings

__all__ = ["ExportedTables", "export_code_tables"]


@dataclass(frozen=True, slots=True)
class ExportedTables:
    """Where the resources were written, of which version of the mappings, and the names of their files."""

    directory: str
    version: str
    files: tuple[str, ...]


def export_code_tables(settings: Settings, directory: Path) -> ExportedTables:
    """Write CodeSystem, ValueSet and ConceptMap for each code table, a file each. They hold nobody's data, so
    nothing is audited. Raises MappingError.
    """
    mappings = load_mappings(settings)
    version = mappings.version[:12]
    resources = code_table_resources(mappings.codes, version)
    directory.mkdir(parents=True, exist_ok=True)
    for name, resource in resources.items():
        content = orjson.dumps(resource, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        (directory / name).write_bytes(content)
    return ExportedTables(str(directory), version, tuple(sorted(resources)))
