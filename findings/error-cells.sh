#!/usr/bin/env bash
# A cell that holds an error is an empty cell to one reader and a text to the other.
#
# Versions   PyPI python-calamine 0.9.1, against PyPI openpyxl 3.1.5; the file is written by PyPI XlsxWriter 3.3.1
# Expected   An error can be told from an empty cell: a cell of type "e" contains an error
#            (ECMA-376 part 1, section 18.18.11, ST_CellType), an empty cell has no value.
# Seen       python-calamine gives '' for #N/A and #DIV/0!, just as for the empty cell beside them.
#            openpyxl gives the texts '#N/A' and '#DIV/0!'.
# Matters    A look-up that failed in a clerk's sheet (#N/A) is taken for "no value": a required cell is reported
#            as missing although the clerk sees something in it, and an optional one is silently cleared.
#            With the other reader the text '#N/A' can end as somebody's name or result.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
  openpyxl==3.1.5 et-xmlfile==2.0.0 python-calamine==0.9.1 XlsxWriter==3.3.1

cat > "$work/see.py" <<'PY'
import sys

import openpyxl
import xlsxwriter
from python_calamine import CalamineWorkbook

path = f"{sys.argv[1]}/errors.xlsx"
with xlsxwriter.Workbook(path) as book:
    sheet = book.add_worksheet("Chỉ số")
    sheet.write_row(0, 0, ["Mã", "Tra cứu", "Tỉ số", "Trống", "Ghi chú"])
    sheet.write_string(1, 0, "CB-0001")
    sheet.write_formula(1, 1, "=NA()", None, "#N/A")
    sheet.write_formula(1, 2, "=1/0", None, "#DIV/0!")
    sheet.write_string(1, 4, "đã xem")
calamine = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()[1]
other = list(next(openpyxl.load_workbook(path, data_only=True).active.iter_rows(min_row=2, values_only=True)))
print("calamine", calamine)
print("openpyxl", other)
if other != ["CB-0001", "#N/A", "#DIV/0!", None, "đã xem"]:
    sys.exit("CHANGED: openpyxl no longer gives errors as texts")
if calamine != ["CB-0001", "", "", "", "đã xem"]:
    sys.exit("CHANGED: python-calamine no longer gives errors as empty texts")
print("AS STATED: to python-calamine an error is an empty cell, to openpyxl it is a text.")
PY
"$work/venv/bin/python" "$work/see.py" "$work"
