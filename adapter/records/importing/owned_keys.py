"""Keys of people and of their visits whose rows are not to be handled."""

from adapter.records.importing.parsed_row import ParsedRow
from adapter.records.sheets.choices import fold_label

__all__ = ["OwnedKeys"]


class OwnedKeys:
    """Keys of people and of their visits that are not to be handled."""

    def __init__(self) -> None:
        self._exact: dict[str, set[str]] = {"cadre": set(), "visit": set()}
        self._like: dict[str, set[str]] = {"cadre": set(), "visit": set()}

    def add(self, kind: str, key: str | None) -> None:
        """Remember the key of a row, if others can refer to it."""
        if key is not None and kind in self._exact:
            self._exact[kind].add(key.casefold())
            self._like[kind].add(fold_label(key))

    def holds(self, kind: str, row: ParsedRow) -> bool:
        """Whether the row is one of these or refers to one."""
        cadres, visits = self._exact["cadre"], self._exact["visit"]
        fields = row.fields
        if cadres and (key := fields.get("cadre")) is not None and key.casefold() in cadres:
            return True
        if visits and (key := fields.get("visit")) is not None and key.casefold() in visits:
            return True
        return kind in self._exact and row.key is not None and row.key.casefold() in self._exact[kind]

    def resembles(self, kind: str, key: str) -> bool:
        """Whether the key is one of these but for spaces, marks and case. Only for keys nobody else has."""
        return fold_label(key) in self._like[kind]
