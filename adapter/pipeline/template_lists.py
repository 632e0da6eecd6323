"""What the code tables give to the empty workbook: lists to look codes up in, the headers of a wide sheet."""

from adapter.mapping.terminology.code_tables import CodeTable
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.pipeline.layout_context import measure_names
from adapter.records.layouts.wide_sheet import PERSON_SHEET, WIDE_SHEET
from adapter.records.sheets.columns import DELETED_COLUMN
from adapter.records.sheets.template import TemplatePage, WideTemplate
from adapter.settings import Settings
from adapter.texts import say

__all__ = ["code_lists", "wide_template"]

_LISTS = {
    "measures": "Danh mục chỉ số",
    "services": "Danh mục dịch vụ",
    "procedures": "Danh mục thủ thuật",
    "vaccines": "Danh mục vắc xin",
}
_CELLS = frozenset({"quantity", "qualitative"})  # types whose value fits a cell
_WIDE_FIELDS = ("cadre", "visit", "type", "started_at")


def code_lists(settings: Settings, lang: str) -> list[TemplatePage]:
    """The codes that workbooks use, with their names in both languages and a measure's unit."""
    tables = load_code_tables(settings.mappings_folder / "codes", []).tables
    headers = tuple(say(f"layout.list_{word}") for word in ("code", "vi", "en", "unit"))
    return [
        TemplatePage(vi if lang == "vi" else f"List of {name}", headers, _rows(tables[name]))
        for name, vi in _LISTS.items()
        if name in tables
    ]


def _rows(table: CodeTable) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (one.code, one.display, one.more.get("display_en", ""), one.more.get("unit", ""))
        for one in table.concepts.values()
    )


def wide_template(settings: Settings, lang: str) -> WideTemplate:
    """The wide sheet's name, and its headers: whose row, which visit, then each measure with its unit. A
    header that would not be understood as its measure is the measure's code. Last the mark of what is gone.
    """
    codes = load_code_tables(settings.mappings_folder / "codes", [])
    names = measure_names(codes)
    columns = [WIDE_SHEET.column(field) for field in _WIDE_FIELDS]
    headers = [columns[0].header(lang), PERSON_SHEET.column("name").header(lang)]
    headers += [one.header(lang) for one in columns[1:]]
    table = codes.tables.get("measures")
    for one in table.concepts.values() if table else ():
        if one.more.get("type") in _CELLS:
            unit = one.more.get("unit")
            name = one.display if lang == "vi" else one.more.get("display_en") or one.display
            header = f"{name} ({unit})" if unit else name
            found = names.find(header)
            headers.append(header if found and found.code == one.code else one.code)
    mark = DELETED_COLUMN.header(lang)
    hints = {
        WIDE_SHEET.column("visit").header(lang): "import.template_wide_visit",
        mark: "import.template_wide_mark",
    }
    return WIDE_SHEET.title(lang), [*headers, mark], hints
