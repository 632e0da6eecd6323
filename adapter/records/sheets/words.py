"""A centre's own words for what a cell may say: "Kinh", "KSK định kỳ", "BV tỉnh". Pure.

A word never makes anybody handled whose cell says T0: the tier is read as it is written first.
"""

from collections.abc import Callable, Iterable, Mapping

from adapter.records.sheets.cell_parsers import CellError, CellValue, cell_text
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.tier_cell import TierReading, read_tier
from adapter.records.sheets.vietnamese_text.readings import all_readings

__all__ = ["NO_WORDS", "Words", "words_line"]

# Fields whose parser takes any text: of these a word is looked up first.
_OPEN = frozenset({"hospital", "service", "code", "vaccine"})


class Words:
    """Words by field, each with what it means there as the sheet would say it."""

    def __init__(self, words: Iterable[tuple[str, str, str]] = ()) -> None:
        self._meanings: dict[str, dict[str, str]] = {}
        for field, word, meaning in words:
            self._meanings.setdefault(field, {})[fold_label(word)] = meaning

    def of(self, field: str) -> Mapping[str, str]:
        """The folded words of a field."""
        return self._meanings.get(field, {})

    def parser(self, field: str, parse: Callable[[CellValue], object]) -> Callable[[CellValue], object]:
        """The field's parser, which knows its words too; the same one where there are none."""
        words = self.of(field)
        if not words:
            return parse
        open_field = field in _OPEN

        def read(cell: CellValue) -> object:
            if open_field:  # in an old font too: keys are not converted later
                read = map(fold_label, all_readings(cell_text(cell)))
                return parse(next((words[one] for one in read if one in words), cell))
            try:
                return parse(cell)
            except CellError:
                meaning = words.get(fold_label(cell_text(cell)))
                if meaning is None:
                    raise
                return parse(meaning)

        return read

    def read_tier(self, cell: CellValue) -> TierReading:
        """How a tier's cell is understood; a word counts only where the cell itself says nothing."""
        found = read_tier(cell)
        if found is TierReading.UNREADABLE and (words := self.of("tier")):
            meaning = words.get(fold_label(cell_text(cell)))
            return found if meaning is None else read_tier(meaning)
        return found


NO_WORDS = Words()


def words_line(field: str, word: str) -> str:
    """The line of `words.csv` that says what a word means, but for its meaning."""
    quoted = '"{}"'.format(word.replace('"', '""')) if set(word) & set(',"') else word
    return f"{field},{quoted},…"
