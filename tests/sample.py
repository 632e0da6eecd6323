"""Where the sample records of the repository are."""

from pathlib import Path

__all__ = ["ROOT", "SMALL"]

ROOT = Path(__file__).parents[1]
SMALL = ROOT / "fixtures" / "sample" / "small.xlsx"
