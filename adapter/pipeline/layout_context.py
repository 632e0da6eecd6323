"""What helps an import to understand sheets: the measures' names from the code tables, and the layouts that
people saved.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from adapter.mapping.terminology.code_tables import CodeTables
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.pipeline.centre_words import load_words
from adapter.records.layouts.measure_names import MeasureNames, NamedMeasure
from adapter.records.layouts.saved_layout import load_layouts
from adapter.records.layouts.understanding import LayoutContext
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.words import Words
from adapter.settings import Settings

__all__ = ["LAYOUTS_FOLDER", "layout_context", "measure_names"]

LAYOUTS_FOLDER = "layouts"  # in the data folder
_CODE_TABLES = {"service": "services", "code": "procedures", "vaccine": "vaccines"}  # by the field of a sheet


def layout_context(settings: Settings) -> LayoutContext:
    """What the settings' folders say; what is wrong in a code table is said elsewhere.

    Raises ImportRefused for a saved layout that cannot be used.
    """
    codes, written = load_code_tables(settings.mappings_folder / "codes", []), load_words(settings)
    measures = measure_names(codes, written)
    words = Words([*_provinces(codes), *_code_names(codes), *_hospitals(settings), *written])
    saved = load_layouts(settings.data_folder / LAYOUTS_FOLDER, measures)
    return LayoutContext(measures, words, saved, {field: _codes(codes, field) for field in _CODE_TABLES})


def _hospitals(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """What the settings call each hospital, in any case; what two are called is none's."""
    meanings = defaultdict[str, set[str]](set)
    for name, hospital in settings.hospitals.items():
        for word in (name, hospital.display):
            meanings[fold_label(word)].add(name)
    yield from _of_one("hospital", meanings)


def _of_one(field: str, meanings: Mapping[str, set[str]]) -> Iterator[tuple[str, str, str]]:
    for word, found in meanings.items():
        if word and len(found) == 1:
            yield field, word, next(iter(found))


def _codes(codes: CodeTables, field: str) -> frozenset[str]:
    table = codes.tables.get(_CODE_TABLES[field])
    return frozenset(one.code for one in table.concepts.values()) if table else frozenset()


def _code_names(codes: CodeTables) -> Iterator[tuple[str, str, str]]:
    """Names of codes as words of their fields: those that one code alone has. A code is one in any case."""
    for field, name in _CODE_TABLES.items():
        table, meanings = codes.tables.get(name), defaultdict[str, set[str]](set)
        for one in table.concepts.values() if table else ():
            for word in (one.code, one.display, one.more.get("display_en", "")):
                meanings[fold_label(word)].add(one.code)
        yield from _of_one(field, meanings)


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
