"""A rejects file that is not kept."""

import gc
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapter.records.importing.rejects_file import RejectsFile
from adapter.records.sheets.layout import SHEETS


def test_what_is_not_kept_leaves_nothing_to_complain_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    tab: Any = SimpleNamespace(sheet=SHEETS[0], title="Cán bộ")
    file = RejectsFile(tmp_path / "a.rejects.xlsx")
    file.add(tab, ["Mã cán bộ"], ["A1"], "vì thế")
    file.close()
    del file
    gc.collect()
    assert complaints == []
    assert list(tmp_path.iterdir()) == []
