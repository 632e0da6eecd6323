#!/usr/bin/env bash
# A reader of HL7 v2 deletes what stands between two backslashes.
#
# Versions   PyPI hl7 0.4.5, the newest there is (March 2022)
# Expected   HL7 v2.5.1, chapter 2.7 (use of escape sequences in text fields): a known sequence between two escape
#            characters stands for something else, \Xdddd..\ for bytes of the message's characters. Nowhere is it said
#            that a text with a backslash in it, or a sequence of the sender's own (\Zxx\), is to be deleted.
# Seen       unescape deletes what it does not know, and raises nothing: of C:\temp\x stays C:x, of a\b stays a, of \Zab\
#            nothing. \XC3A1\, the bytes of one letter in UTF-8, become two letters. \T\ and \S\ are read rightly.
# Matters    A path, a fraction or an N\A in a laboratory's comment loses the rest of the comment. Whoever stands
#            between a hospital and us with this library sends us less than was written, and nobody is told.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check hl7==0.4.5

cat > "$work/see.py" <<'PY'
import logging
import sys

import hl7

logging.disable()
MEANT = {"A \\T\\ B": "A & B", "5 \\S\\ 3": "5 ^ 3"}
SEEN = {"C:\\temp\\x": "C:x", "a\\b": "a", "\\Zab\\": "", "\\XC3A1\\": "\u00c3\u00a1"}

message = hl7.parse("MSH|^~\\&|LIS|BV|ADAPTER|CENTRE|20261102150500||ORU^R01|1|P|2.5\r")
read = {one: message.unescape(one) for one in (*MEANT, *SEEN)}
for before, after in read.items():
    print(f"{before!r:14} reads as {after!r}")
stated = read == {**MEANT, **SEEN}
print("AS STATED" if stated else "CHANGED")
sys.exit(0 if stated else 1)
PY
"$work/venv/bin/python" "$work/see.py"
