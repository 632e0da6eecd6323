#!/usr/bin/env bash
# One FHIRPath engine says that a value is not equal to itself, and rounds otherwise than another.
#
# Versions   PyPI fhirpathpy 2.2.4, against npm fhirpath 5.2.2 (HL7's fhirpath.js), both with their R4 model
# Expected   FHIRPath, Equals: decimals are equal when their values are; quantities of one dimension are converted
#            and compared. FHIRPath, round(): the traditional way, 0.5 and above goes up.
# Seen       Of a resource with "value": 7.2 that was read with the standard json module, fhirpathpy answers
#            false to "value.value = 7.2" and true to "!=", because it compares a float with a Decimal; 5.5 is
#            equal to 5.5. It holds 5 'mmol/L' and 5000 'umol/L' for different, and rounds 7.25 to 7.2.
#            fhirpath.js answers true, false, true, true and 7.3.
# Matters    Invariants and rules of profiles are FHIRPath. The same result passes at one partner and is refused at
#            the other, depending on its digits. Reading with json.loads(..., parse_float=Decimal) cures the first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check fhirpathpy==2.2.4
npm install --silent --no-audit --no-fund --prefix "$work" fhirpath@5.2.2

cat > "$work/observation.json" <<'JSON'
{"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "14749-6"}]},
 "valueQuantity": {"value": 7.2, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
 "component": [{"code": {"text": "a"}, "valueQuantity": {"value": 5.5, "unit": "mmol/L"}}]}
JSON
cat > "$work/expressions.json" <<'JSON'
["Observation.value.value = 7.2", "Observation.value.value != 7.2", "Observation.component.value.value = 5.5",
 "5 'mmol/L' = 5000 'umol/L'", "7.25.round(1)"]
JSON
cat > "$work/see.py" <<'PY'
import json

from fhirpathpy import evaluate
from fhirpathpy.models import models

resource = json.load(open("observation.json"))
for expression in json.load(open("expressions.json")):
    (result,) = evaluate(resource, expression, [], models["r4"])
    print("fhirpathpy ", expression, "->", str(result).lower())
PY
cat > "$work/see.cjs" <<'JS'
const fs = require('fs')
const fhirpath = require('fhirpath')
const r4 = require('fhirpath/fhir-context/r4')
const resource = JSON.parse(fs.readFileSync('observation.json'))
for (const expression of JSON.parse(fs.readFileSync('expressions.json')))
  console.log('fhirpath.js', expression, '->', String(fhirpath.evaluate(resource, expression, {}, r4)[0]))
JS
cd "$work"
seen=$(venv/bin/python see.py; node see.cjs)
echo "$seen"
answers=$(sed 's/.*-> //' <<< "$seen" | xargs)
[[ $answers == 'false true true false 7.2 true false true true 7.3' ]] ||
  { echo 'CHANGED: one of the engines answers otherwise than stated'; exit 1; }
echo 'AS STATED: the engines differ in four of five expressions.'
