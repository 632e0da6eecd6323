"""Mappings and policies that a process has loaded once need not be loaded again: most tests use the same."""

import os
from collections.abc import Mapping
from pathlib import Path

from adapter.disclosure import policy_loader
from adapter.disclosure.policy import Policy
from adapter.mapping.loader import Mappings
from adapter.mapping.terminology.code_tables import CodeTables
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.pipeline import layout_context

__all__ = ["share"]


def share() -> None:
    """From now on the same files are checked and compiled once in this process. What comes of them is never
    changed, and nothing but their bytes and the fields that may leave goes into it.
    """
    load = Mappings.load
    known: dict[object, Mappings] = {}
    tables: dict[object, CodeTables] = {}

    def once(_class: type[Mappings], folder: Path, record_fields: Mapping[str, frozenset[str]]) -> Mappings:
        asked = (_bytes_of(folder), frozenset(record_fields.items()))
        if asked not in known:
            known[asked] = load(folder, record_fields)  # what is wrong is raised, and not kept
        return known[asked]

    def tables_once(folder: Path, problems: list[str]) -> CodeTables:
        asked = _bytes_of(folder)
        if asked not in tables:
            before = len(problems)
            found = load_code_tables(folder, problems)
            if len(problems) > before:
                return found
            tables[asked] = found
        return tables[asked]

    read = policy_loader.read_policy
    policies: dict[tuple[bytes, str], Policy] = {}

    def policy_once(written: bytes, path: Path) -> Policy:
        asked = (written, path.name)  # the whole path is only said where something is wrong
        if asked not in policies:
            policies[asked] = read(written, path)
        return policies[asked]

    policy_loader.read_policy = policy_once
    Mappings.load = classmethod(once)  # type: ignore[assignment, method-assign]
    layout_context.load_code_tables = tables_once


def _bytes_of(folder: Path) -> tuple[tuple[str, bytes], ...]:
    """All files below it."""
    found = sorted(os.path.join(where, name) for where, _, names in os.walk(folder) for name in names)
    return tuple((os.path.relpath(name, folder), Path(name).read_bytes()) for name in found)
