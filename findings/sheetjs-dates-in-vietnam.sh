#!/usr/bin/env bash
# A date cell becomes the day before when SheetJS reads it in Viet Nam.
#
# Versions   npm xlsx 0.18.5 (SheetJS, the newest on npm), against npm exceljs 4.4.0; seen on Node 20
# Expected   04/03/1952. A date in a workbook is a count of days from a base date and has no time zone
#            (ECMA-376 part 1, section 18.17.4, Dates and Times), so no reader's zone may change it.
# Seen       With cellDates in the zone Asia/Ho_Chi_Minh each date is 30 seconds early: midnight becomes
#            23:59:30 of the day before. In UTC it is right. The library counts from local midnight of 1899,
#            when the zone's offset was 7 h 6 min 30 s, and takes the offset in whole minutes.
#            exceljs gives the right day in both zones.
# Matters    A hospital's tool that makes JSON or FHIR from a workbook with this much used reader sends
#            birth dates and dates of samples that are one day early. A birth date is what people are matched by.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" xlsx@0.18.5 exceljs@4.4.0

cat > "$work/write.cjs" <<'JS'
const ExcelJS = require('exceljs')
const book = new ExcelJS.Workbook()
const sheet = book.addWorksheet('Cán bộ')
sheet.addRow(['Ngày sinh'])
sheet.addRow([new Date(Date.UTC(1952, 2, 4))]).getCell(1).numFmt = 'dd/mm/yyyy'
sheet.addRow([new Date(Date.UTC(2026, 10, 29))]).getCell(1).numFmt = 'dd/mm/yyyy'
book.xlsx.writeFile('dates.xlsx')
JS
cat > "$work/read.cjs" <<'JS'
const XLSX = require('xlsx')
const ExcelJS = require('exceljs')
const two = (n) => String(n).padStart(2, '0')
const local = (d) => `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T` +
  `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`
const sheet = XLSX.readFile('dates.xlsx', { cellDates: true }).Sheets['Cán bộ']
const book = new ExcelJS.Workbook()
book.xlsx.readFile('dates.xlsx').then(() => {
  const other = (cell) => book.worksheets[0].getCell(cell).value.toISOString().slice(0, 19)
  for (const cell of ['A2', 'A3']) console.log(cell, 'xlsx', local(sheet[cell].v), 'exceljs', other(cell))
})
JS
cd "$work"
node write.cjs
vietnam=$(TZ=Asia/Ho_Chi_Minh node read.cjs)
utc=$(TZ=UTC node read.cjs)
printf 'Node %s\nAsia/Ho_Chi_Minh\n%s\nUTC\n%s\n' "$(node --version)" "$vietnam" "$utc"
right='A2 xlsx 1952-03-04T00:00:00 exceljs 1952-03-04T00:00:00
A3 xlsx 2026-11-29T00:00:00 exceljs 2026-11-29T00:00:00'
early='A2 xlsx 1952-03-03T23:59:30 exceljs 1952-03-04T00:00:00
A3 xlsx 2026-11-28T23:59:30 exceljs 2026-11-29T00:00:00'
[[ $utc == "$right" ]] || { echo 'CHANGED: the control in UTC is no longer right'; exit 1; }
[[ $vietnam == "$early" ]] || { echo 'CHANGED: in Viet Nam the dates are no longer 30 seconds early'; exit 1; }
echo 'AS STATED: in Viet Nam xlsx gives the day before, exceljs the day of the cell.'
