"""Counts of pairs as a table: rows in the order in which their keys were first counted."""

from collections.abc import Mapping
from typing import TypeVar

__all__ = ["grouped_counts"]

Row = TypeVar("Row")


def grouped_counts(counts: Mapping[tuple[Row, str], int]) -> dict[Row, dict[str, int]]:
    """(row, column) -> count as row -> column -> count."""
    table: dict[Row, dict[str, int]] = {}
    for (row, column), count in counts.items():
        table.setdefault(row, {})[column] = count
    return table
