#!/usr/bin/env bash
# Reading a resource and writing it back loses every extension of a primitive value.
#
# Versions   PyPI fhirclient 4.4.0 (the SMART client), against PyPI fhir.resources 8.3.0
# Expected   The same resource. FHIR R4, JSON representation of primitive elements: id and extensions of a value stand
#            in a property of the same name with an underscore before it.
# Seen       fhirclient takes the resource without complaint, and its as_json() has neither _birthDate nor _gender nor
#            _family. fhir.resources gives all of them back.
# Matters    "Why a value is missing" (data-absent-reason) and "this birth date is estimated" are such extensions, and
#            many older people have no exact birth date. A partner that updates by read, change, PUT deletes them at
#            the server; ours must not take that for a change that somebody made.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
  fhirclient==4.4.0 fhir.resources==8.3.0 fhir-core==1.1.12 pydantic==2.14.3

cat > "$work/see.py" <<'PY'
import json
import sys

from fhir.resources.R4B.patient import Patient as Other
from fhirclient.models.patient import Patient

ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
GUESS = {"extension": [{"url": "http://example.org/estimated", "valueBoolean": True}]}
RESOURCE = {
    "resourceType": "Patient",
    "id": "vi-du",
    "name": [{"text": "Nguyễn Văn Ví Dụ", "_family": ABSENT}],
    "_gender": ABSENT,
    "birthDate": "1952",
    "_birthDate": GUESS,
}
LOST = {"resourceType": "Patient", "id": "vi-du", "name": [{"text": "Nguyễn Văn Ví Dụ"}], "birthDate": "1952"}
back = Patient(RESOURCE).as_json()
other = json.loads(Other.model_validate(RESOURCE).model_dump_json())
for name, resource in (("given", RESOURCE), ("fhir.resources", other), ("fhirclient", back)):
    print(f"{name:14} {json.dumps(resource, ensure_ascii=False, sort_keys=True)}")
if other != RESOURCE:
    sys.exit("CHANGED: the control, fhir.resources, no longer gives the resource back")
if back != LOST:
    sys.exit("CHANGED: fhirclient gives back something else than stated")
print("AS STATED: fhirclient lost the three extensions.")
PY
"$work/venv/bin/python" "$work/see.py"
