"""Pages: hospitals, how each is served, and the switch that stops it."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from starlette.responses import Response

from adapter.authorization.staff_roles import Permission
from adapter.errors import MappingError
from adapter.operations.hospital_mode import HospitalMode, ResetBreaker, SetHospitalMode
from adapter.operations.sync import SyncHospitals
from adapter.texts import has_text
from adapter.web.console.charts.hours import latencies_chart, latency_words, requests_chart
from adapter.web.console.reasons import reason_words
from adapter.web.console.visit import ConsoleRoute, NotHereError, Visit

__all__ = ["ROUTES"]

_MODES: Final = {
    "running": HospitalMode.RUNNING,
    "draining": HospitalMode.DRAINING,
    "paused": HospitalMode.PAUSED,
}
_LONGEST_NOTE: Final = 200  # characters
_HOURS: Final = 48
_PATIENCE: Final = 8.0  # seconds that somebody waits for a page
_SHOWN_LINES: Final = 40  # of a kind of change


def _silent(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    """A page says what came of it, once."""


def _hospital(visit: Visit) -> str:
    name = visit.path["hospital"]
    if name not in visit.adapter.settings.hospitals:
        raise NotHereError
    return name


def _list(visit: Visit) -> Response:
    lines = visit.insights.status()
    return visit.page("hospitals/list.html", lines=lines)


def _show(visit: Visit) -> Response:
    name = _hospital(visit)
    served = visit.insights.hospital(name)
    hours = visit.insights.hospital_traffic(name, _HOURS)
    word, _, where = (served.last_error or "").partition(" ")
    known = f"hospital.trouble_{word.replace('-', '_')}"
    return visit.page(
        "hospitals/show.html",
        one=served,
        line=next(one for one in visit.insights.status() if one.hospital == name),
        trouble=visit.t(known, where=where) if has_text(known) else served.last_error,
        switch=SetHospitalMode(name, HospitalMode.RUNNING).preview(visit.operations).version,
        breaker=ResetBreaker(name).preview(visit.operations).version,
        hours=[one for one in reversed(hours) if one.requests],
        requests=requests_chart(hours, visit.t("console_hospitals.requests_chart")),
        latencies=latencies_chart(hours, visit.t("console_hospitals.latencies_chart")),
        latency_words=latency_words,
    )


def _switch(visit: Visit) -> Response:
    name, mode = _hospital(visit), _MODES.get(visit.form.get("mode"))
    if mode is None:
        raise NotHereError
    note = visit.form.get("note")[:_LONGEST_NOTE] or None
    done = SetHospitalMode(name, mode, note).perform(visit.operations, visit.form.get("seen"))
    return visit.redirect(f"/hospitals/{name}", f"console_hospitals.now_{mode}", hospital=done.display)


def _reset(visit: Visit) -> Response:
    name = _hospital(visit)
    done = ResetBreaker(name).perform(visit.operations, visit.form.get("seen"))
    return visit.redirect(f"/hospitals/{name}", "console_hospitals.now_reset", hospital=done.display)


def _card(visit: Visit) -> Response:
    name = _hospital(visit)
    return visit.page(
        "hospitals/card.html",
        card=visit.insights.server_card(name),
        display=visit.adapter.settings.hospital(name).display,
        has_text=has_text,
    )


def _plan(visit: Visit) -> Response:
    """What would be sent; it looks at everybody who changed, and shows counts alone."""
    name = _hospital(visit)
    report = visit.insights.plan([name], _silent)[name]
    return visit.page(
        "hospitals/plan.html",
        plan=report,
        display=visit.adapter.settings.hospital(name).display,
        why=lambda reason: reason_words(visit, reason),
    )


def _mapping(visit: Visit) -> Response:
    """What the folder's mapping does against the one in force, in counts: examples are of people."""
    name = _hospital(visit)
    display = visit.adapter.settings.hospital(name).display
    try:
        impact = visit.insights.mapping_impact([name], _silent, sample=0, command="console mapping")[name]
    except MappingError as error:
        return visit.page("hospitals/mapping.html", impact=None, trouble=str(error), display=display, seen="")
    seen = SyncHospitals((name,), accept=True).preview(visit.operations).version
    return visit.page(
        "hospitals/mapping.html", impact=impact, trouble="", display=display, seen=seen, most=_SHOWN_LINES
    )


def _accept(visit: Visit) -> Response:
    """The mapping takes force, and what it changes begins to go; what does not in a few seconds, the services
    send.
    """
    name, stop = _hospital(visit), threading.Event()
    enough = threading.Timer(_PATIENCE, stop.set)
    enough.daemon = True
    enough.start()
    try:
        acting = replace(visit.operations, stop=stop)
        SyncHospitals((name,), accept=True).perform(acting, visit.form.get("seen"))
    finally:
        enough.cancel()
    display = visit.adapter.settings.hospital(name).display
    return visit.redirect(f"/hospitals/{name}", "console_hospitals.now_accepted", hospital=display)


_SEE, _RUN = Permission.SEE_HOSPITALS, Permission.RUN_HOSPITALS
ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/hospitals", _list, _SEE, menu="console_hospitals.menu"),
    ConsoleRoute("GET", "/hospitals/{hospital}", _show, _SEE),
    ConsoleRoute("POST", "/hospitals/{hospital}/switch", _switch, _RUN),
    ConsoleRoute("POST", "/hospitals/{hospital}/breaker", _reset, _RUN),
    ConsoleRoute("GET", "/hospitals/{hospital}/card", _card, _SEE),
    ConsoleRoute("GET", "/hospitals/{hospital}/plan", _plan, _RUN),
    ConsoleRoute("GET", "/hospitals/{hospital}/mapping", _mapping, Permission.ACCEPT_MAPPINGS),
    ConsoleRoute("POST", "/hospitals/{hospital}/mapping", _accept, Permission.ACCEPT_MAPPINGS),
)
