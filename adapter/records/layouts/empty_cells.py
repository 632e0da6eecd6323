"""What the empty cells of a wide table say."""

from collections.abc import Iterator, Sequence
from itertools import islice

from adapter.records.layouts.unread_columns import UnreadColumns
from adapter.records.sheets.cell_parsers import CellValue
from adapter.records.sheets.tab import Tab, TabSource

__all__ = ["EmptyCells"]

_PAGE = 1000


class EmptyCells(TabSource):
    """What a wide table's empty cells say: there are no such measurements. What it does not hold at all is
    not missing. Of each row it is remembered which measures are empty and which are not, a bit for each.
    """

    spares_seen = True

    def __init__(self, codes: list[str], unread: UnreadColumns | None) -> None:
        self._codes = codes
        self.unread = unread
        self._rows: dict[int, tuple[str, int, int]] = {}  # by number: visit, which are empty, which are not
        self._silent: dict[int, tuple[CellValue, list[CellValue]]] = {}
        self.doubtful: set[int] = set()  # rows of which it is not known whose they are

    def clear(self) -> None:
        """Forget the rows."""
        self._rows.clear()
        self._silent.clear()

    def note_refused(self, tab: Tab, refused: Sequence[int]) -> None:
        if self.unread is not None:
            self.unread.forget(refused)

    def finish(self) -> None:
        if self.unread is not None:
            self.unread.finish()

    def note_silent(self, number: int, cadre: CellValue, cells: list[CellValue]) -> None:
        """A row in which every measure is empty."""
        self._silent[number] = cadre, cells

    def silent_rows(self) -> Iterator[tuple[int, CellValue, list[CellValue]]]:
        return ((number, cadre, cells) for number, (cadre, cells) in self._silent.items())

    def note(self, number: int, visit: str, empty: int, filled: int) -> None:
        """A row's cells: the same visit may stand in several rows."""
        self._rows[number] = visit, empty, filled

    def deleted_keys(self, tab: Tab) -> Iterator[list[str]]:
        visits: dict[str, tuple[int, int]] = {}
        for number, (visit, empty, filled) in self._rows.items():
            if number not in self.doubtful:
                before = visits.get(visit, (0, 0))
                visits[visit] = before[0] | empty, before[1] | filled
        keys = (
            f"{visit}/{code}"
            for visit, (empty, filled) in visits.items()
            for place, code in enumerate(self._codes)
            if (empty & ~filled) >> place & 1
        )
        while page := list(islice(keys, _PAGE)):
            yield page
