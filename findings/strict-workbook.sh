#!/usr/bin/env bash
# A workbook saved as "Strict Open XML Spreadsheet" is read as one without sheets, and no error is raised.
#
# Versions   PyPI openpyxl 3.1.5, against PyPI python-calamine 0.9.1
# Expected   The same rows as from the usual file. ISO/IEC 29500-1 defines two conformance classes, strict and
#            transitional; they differ in the namespaces, and Excel offers both in its Save As dialog as *.xlsx.
# Seen       openpyxl opens the strict workbook and has an empty list of sheets. It raises nothing; a warning speaks of
#            "an invalid specification for 0".
#            python-calamine reads both. The two files here differ in their namespaces and in nothing else.
# Matters    One clerk's choice in a dialog, and an import that loops over the sheets imports nothing and reports
#            success. Where whatever is missing from a file counts as deleted, everybody would be deleted.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check openpyxl==3.1.5 et-xmlfile==2.0.0 python-calamine==0.9.1

cat > "$work/see.py" <<'PY'
import sys
import warnings
import zipfile
from pathlib import Path

import openpyxl
from python_calamine import CalamineWorkbook

PACKAGE = "http://schemas.openxmlformats.org/package/2006"
TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
CLASSES = {
    "transitional": (
        "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    ),
    "strict": (
        "http://purl.oclc.org/ooxml/spreadsheetml/main",
        "http://purl.oclc.org/ooxml/officeDocument/relationships",
    ),
}
ROWS = [["Mã", "Họ tên"], ["CB-0001", "Nguyễn Văn Ví Dụ"]]


def write(path: Path, name: str) -> None:
    main, relations = CLASSES[name]
    rows = "".join(
        f'<row r="{r}">'
        + "".join(f'<c r="{"AB"[c]}{r}" t="inlineStr"><is><t>{text}</t></is></c>' for c, text in enumerate(row))
        + "</row>"
        for r, row in enumerate(ROWS, 1)
    )
    conformance = ' conformance="strict"' if name == "strict" else ""
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{TYPES}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{TYPES}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}"{conformance}>'
        '<sheets><sheet name="Cán bộ" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as archive:
        for part, text in parts.items():
            archive.writestr(part, '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>' + text)


seen = {}
for name in CLASSES:
    path = Path(sys.argv[1]) / f"{name}.xlsx"
    write(path, name)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        book = openpyxl.load_workbook(path)
    for warning in said:
        print(f"openpyxl  {name:13} warns: {warning.message}")
    seen["openpyxl", name] = {s.title: [list(r) for r in s.iter_rows(values_only=True)] for s in book.worksheets}
    other = CalamineWorkbook.from_path(path)
    seen["calamine", name] = {n: other.get_sheet_by_name(n).to_python() for n in other.sheet_names}
for (reader, name), sheets in seen.items():
    print(f"{reader:9} {name:13} {sheets}")
whole = {"Cán bộ": ROWS}
if any(seen[key] != whole for key in seen if key != ("openpyxl", "strict")):
    sys.exit("CHANGED: a control is no longer read whole")
if seen["openpyxl", "strict"] != {}:
    sys.exit("CHANGED: openpyxl finds sheets in a strict workbook")
print("AS STATED: openpyxl finds no sheet in the strict workbook and raises nothing.")
PY
"$work/venv/bin/python" "$work/see.py" "$work"
