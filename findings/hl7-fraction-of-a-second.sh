#!/usr/bin/env bash
# A fraction of a second in an HL7 v2 time adds whole seconds.
#
# Versions   npm @medplum/core 5.2.13, parseHl7DateTime
# Expected   HL7 v2.5.1 chapter 2A, data type DTM: YYYYMMDDHHMMSS.S[S[S[S]]], one to four digits that are decimals of
#            the second. So .5, .50, .500 and .5000 are the same half second.
# Seen       The digits are taken for a number of milliseconds: .5 gives 5 ms, .50 gives 50 ms, .500 gives 500 ms,
#            and .5000 gives five seconds. Here 23:59:59.5000 becomes 00:00:04 of the next day.
# Matters    A sender may write up to four digits. The time of a sample becomes up to ten seconds later, at midnight even a
#            day; order and matching by time break, and only for senders that write all four digits.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" @medplum/core@5.2.13

cat > "$work/see.cjs" <<'JS'
globalThis.WebSocket ??= class {} // older versions of Node have none; the package wants it when it is loaded
const { parseHl7DateTime } = require('@medplum/core')
for (const fraction of ['', '.5', '.50', '.500', '.5000'])
  console.log(`20261129235959${fraction}+0000`, '->', parseHl7DateTime(`20261129235959${fraction}+0000`))
JS
cd "$work"
seen=$(node see.cjs)
echo "$seen"
stated='20261129235959+0000 -> 2026-11-29T23:59:59.000Z
20261129235959.5+0000 -> 2026-11-29T23:59:59.005Z
20261129235959.50+0000 -> 2026-11-29T23:59:59.050Z
20261129235959.500+0000 -> 2026-11-29T23:59:59.500Z
20261129235959.5000+0000 -> 2026-11-30T00:00:04.000Z'
[[ $seen == "$stated" ]] || { echo 'CHANGED: the fractions are read otherwise than stated'; exit 1; }
echo 'AS STATED: the same half second is read as four different times.'
