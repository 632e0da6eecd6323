#!/usr/bin/env bash
# Reading a resource with a model library and writing it changes the precision of numbers and times.
#
# Versions   PyPI fhir.resources 8.3.0 (R4B models), fhir-core 1.1.12, pydantic 2.14.3
# Expected   FHIR R4, data types, decimal: the precision of a value has significance (0.010 is not 0.01) and is kept.
#            An instant may have a fraction of a second of any length, and it is part of the value.
# Seen       100.00 is written as 100.0 and 1.50 as 1.5; already the model holds Decimal('100.0').
#            10:00:00.000+07:00 loses its milliseconds, .5Z becomes .500000Z, .123456789 is cut to six digits.
# Matters    A laboratory's digits say how exactly it measured. And whoever compares what was sent with what is read
#            back, as text or by a hash, sees a change that nobody made and sends it again.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check fhir.resources==8.3.0 fhir-core==1.1.12 pydantic==2.14.3

cat > "$work/see.py" <<'PY'
import re
import sys

from fhir.resources.R4B.observation import Observation

STATED = {
    ("100.00", "2026-11-29T10:00:00.000+07:00"): ("100.0", "2026-11-29T10:00:00+07:00"),
    ("1.50", "2026-11-29T03:00:00.5Z"): ("1.5", "2026-11-29T03:00:00.500000Z"),
    ("7", "2026-11-29T03:00:00.123456789Z"): ("7", "2026-11-29T03:00:00.123456Z"),
}
for (value, issued), stated in STATED.items():
    text = (
        '{"resourceType":"Observation","status":"final","code":{"text":"x"},'
        f'"issued":"{issued}","valueQuantity":{{"value":{value}}}}}'
    )
    model = Observation.model_validate_json(text)
    written = model.model_dump_json()
    found = re.search(r'"value":([^}]+)}', written)[1], re.search(r'"issued":"([^"]+)"', written)[1]
    print(f"{value} -> {found[0]} (in the model {model.valueQuantity.value!r})   {issued} -> {found[1]}")
    if found != stated:
        sys.exit(f"CHANGED: stated was {stated}")
print("AS STATED: digits were lost, added and cut.")
PY
"$work/venv/bin/python" "$work/see.py"
