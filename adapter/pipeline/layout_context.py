"""What helps an import to understand sheets: the measures' names from the code tables, and the layouts that
people saved.
"""

from adapter.mapping.terminology.table_files import load_code_tables
from adapter.records.layouts.measure_names import MeasureNames, NamedMeasure
from adapter.records.layouts.saved_layout import load_layouts
from adapter.records.layouts.understanding import LayoutContext
from adapter.settings import Settings

__all__ = ["LAYOUTS_FOLDER", "layout_context", "measure_names"]

LAYOUTS_FOLDER = "layouts"  # in the data folder


def layout_context(settings: Settings) -> LayoutContext:
    """What the settings' folders say; what is wrong in a code table is said elsewhere.

    Raises ImportRefused for a saved layout that cannot be used.
    """
    measures = measure_names(settings)
    return LayoutContext(measures, load_layouts(settings.data_folder / LAYOUTS_FOLDER, measures))


def measure_names(settings: Settings) -> MeasureNames:
    """The measures of the code tables, by what they are called."""
    codes = load_code_tables(settings.mappings_folder / "codes", [])
    table = codes.tables.get("measures")
    return MeasureNames(
        [
            NamedMeasure(one.code, one.display, one.more.get("display_en", ""), one.more.get("unit", ""))
            for one in (table.concepts.values() if table else ())
        ],
        codes.units,
    )
