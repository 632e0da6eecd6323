#!/usr/bin/env bash
# A FHIR client's own comparisons in a search are those of a draft of FHIR, which R4 does not know.
#
# Versions   PyPI fhirclient 4.4.0 (the SMART client, its models are R4's), against PyPI fhirpy 2.3.1
# Expected   FHIR R4, search, prefixes: a date on or after a day is `date=ge2026-11-10`, before one `date=lt…`.
# Seen       where({"date": {"$gte": "2026-11-10"}}) asks for `date=>=2026-11-10`, "$lt" for `date=<…`: the signs of
#            DSTU1 (2014). A server that says what it does not understand refuses it; one that passes over what it
#            does not understand answers with everything. fhirpy's date__ge asks as R4 has it, and so does fhirclient
#            when the prefix is written into the value.
# Matters    "The results since the 10th" is an error at best, and at worst all results of everybody ever, taken for
#            the newest ones. Our endpoint answers 400 and names the parameter.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check fhirclient==4.4.0 fhirpy==2.3.1

cat > "$work/see.py" <<'PY'
import sys
from urllib.parse import unquote

from fhirclient.models.observation import Observation
from fhirpy import SyncFHIRClient
from fhirpy.base.utils import encode_params

DAY = "2026-11-10"
STATED = {"$gte": f"date=>={DAY}", "$gt": f"date=>{DAY}", "$lte": f"date=<={DAY}", "$lt": f"date=<{DAY}"}
for operator, stated in STATED.items():
    asked = unquote(Observation.where({"date": {operator: DAY}}).construct())
    print(f"fhirclient {operator:5} {asked}")
    if asked != f"Observation?{stated}":
        sys.exit(f"CHANGED: stated was {stated}")
written = unquote(Observation.where({"date": f"ge{DAY}"}).construct())
other = encode_params(SyncFHIRClient("http://127.0.0.1:9").resources("Observation").search(date__ge=DAY).params)
print(f"fhirclient ge    {written}")
print(f"fhirpy     __ge  Observation?{other}")
if written != f"Observation?date=ge{DAY}" or other != f"date=ge{DAY}":
    sys.exit("CHANGED: the controls no longer ask as R4 has it")
print("AS STATED: its own comparisons are written with signs that R4 has no meaning for.")
PY
"$work/venv/bin/python" "$work/see.py"
