"""Where the sample records of the repository are, and a smaller one of them."""

from collections import Counter
from pathlib import Path

from adapter.testing.workbooks import Row, with_cells

__all__ = ["ROOT", "SMALL", "open_to_pseudonyms", "write_brief"]

ROOT = Path(__file__).parents[1]
SMALL = ROOT / "fixtures" / "sample" / "small.xlsx"

_MEASURES = 5  # of each visit
_ALWAYS = "BIO-CREA"


def open_to_pseudonyms(mappings: Path) -> None:
    """Let `bv-tinh` have everything of people under a pseudonym too, not only what an order needs."""
    policy = mappings / "disclosure.yaml"
    written, line = policy.read_text("utf-8"), "bv-tinh: {share: everything, "
    assert written.count(line) == 1
    policy.write_text(written.replace(line, f"{line}pseudonyms: everything, "), "utf-8")


def write_brief(target: Path) -> Path:
    """The small sample with a few measurements of each visit, creatinine among them; all else as it is."""
    seen: Counter[object] = Counter()

    def keep(sheet: str, row: Row) -> bool:
        if sheet != "Chỉ số":
            return True
        seen[row["Mã lượt khám"]] += 1
        return seen[row["Mã lượt khám"]] <= _MEASURES or row["Mã chỉ số"] == _ALWAYS

    return with_cells(SMALL, target, keep)
