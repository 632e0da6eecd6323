#!/usr/bin/env bash
# Three UCUM libraries convert the same valid units to values that differ a hundredfold and a thousandfold.
#
# Versions   PyPI ucumvert 0.3.2 (with Pint 0.25.3), npm @lhncbc/ucum-lhc 7.1.10, npm @atomic-ehr/ucum 0.2.5
# Expected   UCUM's own table gives [HPF] the value 1, [LPF] the value 100 and [Cal] the value 1 kcal_th. So
#            10 /[HPF] are 1000 /[LPF], and 2000 [Cal] are 2000 kcal. An annotation alone stands for the unit 1
#            (UCUM, annotations), so 60 mL/min/{1.73_m2} are 60 mL/min.
# Seen       10 /[HPF] to /[LPF]: ucumvert 10, ucum-lhc 10, atomic-ehr 1000. 2000 [Cal] to kcal: ucumvert 2, the
#            others 2000. 60 mL/min/{1.73_m2}: atomic-ehr says that the unit is not valid, the others give 60.
# Matters    Microscopy of urine is counted per high and per low power field, the kidney's filtration rate is
#            written with {1.73_m2}. Two partners that each "normalise with UCUM" disagree and neither sees an
#            error. Send the unit as it was measured; convert only what was checked against the table.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check ucumvert==0.3.2 Pint==0.25.3 lark==1.3.1
npm install --silent --no-audit --no-fund --prefix "$work" @lhncbc/ucum-lhc@7.1.10 @atomic-ehr/ucum@0.2.5

cat > "$work/see.py" <<'PY'
from ucumvert import PintUcumRegistry

registry = PintUcumRegistry()
for value, source, target in ((10, "/[HPF]", "/[LPF]"), (2000, "[Cal]", "kcal"), (60, "mL/min/{1.73_m2}", "mL/min")):
    result = (value * registry.from_ucum(source)).to(registry.from_ucum(target)).magnitude
    print(f"ucumvert {value} {source} = {round(result, 6):g} {target}")
PY
cat > "$work/see.mjs" <<'JS'
import lhc from '@lhncbc/ucum-lhc'
import { ucum } from '@atomic-ehr/ucum'
const nlm = lhc.UcumLhcUtils.getInstance()
const atomic = (value, source, target) => {
  try { return ucum.convert(value, source, target) } catch (error) { return error.message }
}
for (const [value, source, target] of [[10, '/[HPF]', '/[LPF]'], [2000, '[Cal]', 'kcal'], [60, 'mL/min/{1.73_m2}', 'mL/min']]) {
  const exact = (number) => (typeof number === 'number' ? `${Number(number.toPrecision(9))} ${target}` : number)
  console.log(`ucum-lhc ${value} ${source} = ${exact(nlm.convertUnitTo(source, value, target).toVal)}`)
  console.log(`atomic-ehr ${value} ${source} = ${exact(atomic(value, source, target))}`)
}
JS
cd "$work"
seen=$(venv/bin/python see.py; node see.mjs)
echo "$seen"
stated='ucumvert 10 /[HPF] = 10 /[LPF]
ucumvert 2000 [Cal] = 2 kcal
ucumvert 60 mL/min/{1.73_m2} = 60 mL/min
ucum-lhc 10 /[HPF] = 10 /[LPF]
atomic-ehr 10 /[HPF] = 1000 /[LPF]
ucum-lhc 2000 [Cal] = 2000 kcal
atomic-ehr 2000 [Cal] = 2000 kcal
ucum-lhc 60 mL/min/{1.73_m2} = 60 mL/min
atomic-ehr 60 mL/min/{1.73_m2} = Invalid source unit: mL/min/{1.73_m2}'
[[ $seen == "$stated" ]] || { echo 'CHANGED: one of the three libraries answers otherwise than stated'; exit 1; }
echo 'AS STATED: the three libraries differ in each of the three units.'
