"""What helps an import to understand sheets: the measures' names from the code tables, and the layouts that
people saved.
"""

from collections.abc import Iterable, Iterator

from adapter.mapping.terminology.code_tables import CodeTables
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.pipeline.centre_words import load_words
from adapter.records.layouts.measure_names import MeasureNames, NamedMeasure
from adapter.records.layouts.saved_layout import load_layouts
from adapter.records.layouts.understanding import LayoutContext
from adapter.records.sheets.words import Words
from adapter.settings import Settings

__all__ = ["LAYOUTS_FOLDER", "layout_context", "measure_names"]

LAYOUTS_FOLDER = "layouts"  # in the data folder


def layout_context(settings: Settings) -> LayoutContext:
    """What the settings' folders say; what is wrong in a code table is said elsewhere.

    Raises ImportRefused for a saved layout that cannot be used.
    """
    codes, written = load_code_tables(settings.mappings_folder / "codes", []), load_words(settings)
    measures = measure_names(codes, written)
    words = Words([*_provinces(codes), *written])
    return LayoutContext(measures, words, load_layouts(settings.data_folder / LAYOUTS_FOLDER, measures))


def _provinces(codes: CodeTables) -> Iterator[tuple[str, str, str]]:
    table = codes.tables.get("provinces")
    for one in table.concepts.values() if table else ():
        for before in ("", "Tỉnh ", "Thành phố ", "TP ", "T. "):
            yield "province", before + one.display.removeprefix("Thành phố "), one.code


def measure_names(codes: CodeTables, words: Iterable[tuple[str, str, str]] = ()) -> MeasureNames:
    """The measures of the code tables, by what they and a centre's words call them."""
    table = codes.tables.get("measures")
    return MeasureNames(
        [
            NamedMeasure(one.code, one.display, one.more.get("display_en", ""), one.more.get("unit", ""))
            for one in (table.concepts.values() if table else ())
        ],
        codes.units,
        {word: meaning for field, word, meaning in words if field == "measure"},
    )
