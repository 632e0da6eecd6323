#!/usr/bin/env bash
# "0 7 */2 * 1" is a different timetable in each of two cron libraries.
#
# Versions   PyPI cronsim 2.8, against PyPI croniter 7.0.0
# Expected   crontab(5) of Debian: the command runs when either day field matches if both are restricted, that is, do
#            not contain "*". Here the day of the month does contain "*", so both have to match: every Monday whose
#            day of the month is odd.
# Seen       cronsim: 7 Dec, 21 Dec, 11 Jan. croniter: 30 Nov, 1 Dec, 3 Dec, every Monday and every odd day besides.
#            With 1-31/2, which means the same days, the two agree on the second timetable.
# Matters    A centre copies a hospital's expression into its own settings, or the reverse. One of the two then comes
#            about eight times as often as agreed, or leaves out most of the agreed windows, with no error on either side.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check cronsim==2.8 croniter==7.0.0

cat > "$work/see.py" <<'PY'
import sys
from datetime import datetime, timedelta, timezone

from croniter import croniter
from cronsim import CronSim

start = datetime(2026, 11, 29, 12, tzinfo=timezone(timedelta(hours=7)))


def days(expression: str) -> tuple[list[str], list[str]]:
    one, other = CronSim(expression, start), croniter(expression, start)
    found = [next(one) for _ in range(3)], [other.get_next(datetime) for _ in range(3)]
    return tuple([f"{day:%d.%m}" for day in each] for each in found)


step, listed = days("0 7 */2 * 1"), days("0 7 1-31/2 * 1")
for expression, (one, other) in (("0 7 */2 * 1", step), ("0 7 1-31/2 * 1", listed)):
    print(f"{expression:15} cronsim {one} croniter {other}")
if listed != (["30.11", "01.12", "03.12"],) * 2:
    sys.exit("CHANGED: the control, with 1-31/2, is no longer the same in both")
if step != (["07.12", "21.12", "11.01"], ["30.11", "01.12", "03.12"]):
    sys.exit("CHANGED: the timetables of */2 are not the stated ones")
print("AS STATED: with */2 the two libraries run on different days.")
PY
"$work/venv/bin/python" "$work/see.py"
