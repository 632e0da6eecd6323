#!/usr/bin/env bash
# An OpenDocument sheet that one library saves with indentation is refused by another.
#
# Versions   PyPI python-calamine 0.9.1, against PyPI odfdo 3.27.3
# Expected   The rows. <table:table-row> holds elements only, so white space between the cells has no meaning
#            (OpenDocument 1.3 part 3, <table:table-row>; white space counts only inside paragraphs).
# Seen       odfdo indents content.xml when asked to save with pretty=True. python-calamine refuses that file:
#            "Expecting 'table-cell', found 'Text'". Saved with pretty=False, the same document is read.
#            odfdo reads both.
# Matters    Departments that work with free office tools and scripts send *.ods. The error names neither sheet
#            nor row, and nobody who opens the file in an office program sees anything wrong with it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check python-calamine==0.9.1 odfdo==3.27.3

cat > "$work/see.py" <<'PY'
import sys

import odfdo
from python_calamine import CalamineError, CalamineWorkbook

ROWS = [["Mã", "Họ tên"], ["CB-0001", "Nguyễn Văn Ví Dụ"]]
document = odfdo.Document("spreadsheet")
document.body.clear()
table = odfdo.Table("CanBo")
table.set_values(ROWS)
document.body.append(table)


def by_calamine(path: str) -> object:
    try:
        return CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    except CalamineError as error:
        return " ".join(str(error).split())


seen = {}
for name, pretty in (("flat", False), ("indented", True)):
    path = f"{sys.argv[1]}/{name}.ods"
    document.save(path, pretty=pretty)
    seen[name] = by_calamine(path)
    own = odfdo.Document(path).body.get_table(0).get_values()
    print(f"{name:8} calamine {seen[name]}\n{'':8} odfdo    {own}")
    if own != ROWS:
        sys.exit("CHANGED: odfdo no longer reads its own file whole")
if seen["flat"] != ROWS:
    sys.exit("CHANGED: the control, without indentation, is no longer read")
if "Expecting 'table-cell', found 'Text" not in str(seen["indented"]):
    sys.exit("CHANGED: python-calamine no longer refuses an indented sheet, or odfdo no longer indents")
print("AS STATED: python-calamine refuses the file because of the white space between its cells.")
PY
"$work/venv/bin/python" "$work/see.py" "$work"
