"""XML4: results of examinations, as reports with their Observations. Pure.

A row has no identity of its own (STT is its place in this file): it is known by its visit, its service, the
moment of its result and its indicator. It has no reference range, flag, specimen or time of collection, and
none is made up.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from adapter.fhir.codec import Resource
from adapter.national_xml.conventions import FileConventions
from adapter.national_xml.moments import has_time
from adapter.national_xml.reports import NOTE_EXTENSION, ReportContext
from adapter.national_xml.rows import SheetRow
from adapter.national_xml.values import written_value

__all__ = ["add_findings", "names_of_services"]

_ITSELF = "XML4"  # what a result is called that has neither service nor indicator


@dataclass(slots=True)
class _Service:
    """The rows of one service whose results came at one moment."""

    code: str
    moment: str | None
    rows: list[SheetRow] = field(default_factory=list)


def names_of_services(rows: Sequence[SheetRow]) -> dict[str, str]:
    """TEN_DICH_VU of XML3 by MA_DICH_VU: XML4 has the codes alone. One that has two names has none."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if name := row.get("TEN_DICH_VU"):
            found.setdefault(row.get("MA_DICH_VU"), set()).add(name)
    return {code: names.pop() for code, names in found.items() if code and len(names) == 1}


def add_findings(rows: Sequence[SheetRow], names: Mapping[str, str], context: ReportContext) -> None:
    """Add a report for each service and moment. Rows whose result is awaited still say nothing."""
    services: dict[tuple[str, str | None], _Service] = {}
    for row in rows:
        if any(row.get(name) for name in ("GIA_TRI", "MO_TA", "KET_LUAN")):
            key = (row.get("MA_DICH_VU"), row.moment("NGAY_KQ"))
            services.setdefault(key, _Service(*key)).rows.append(row)
    for one in services.values():
        _add_report(one, names.get(one.code, ""), context)


def _add_report(service: _Service, name: str, context: ReportContext) -> None:
    conventions = context.conventions
    number = "/".join((context.visit, service.code, service.moment or ""))
    shared = context.shared()
    day = None
    if has_time(service.moment):
        shared["issued"] = service.moment
    elif service.moment:
        day = f"NGAY_KQ: {service.moment}"  # an instant is none without its time
    parts = []
    for row in service.rows:
        if (observation := _observation(row, service, name, conventions)) is not None:
            if day:
                observation.setdefault("note", []).append({"text": day})
            identifier = conventions.numbered("observation", f"{number}/{_indicator(row)}")
            made = {**shared, **observation, "identifier": [identifier]}
            parts.append(context.entries.add(made, row.place))
    report: Resource = {
        "resourceType": "DiagnosticReport",
        "identifier": [conventions.numbered("result", number)],
        "status": "final",
        "code": _service_code(service, name, conventions),
        **shared,
    }
    if parts:
        report["result"] = parts
    if lines := list(_conclusion(service.rows)):
        report["conclusion"] = "\n".join(lines)
    if day:
        report["extension"] = [{"url": NOTE_EXTENSION, "valueAnnotation": {"text": day}}]
    context.entries.add(report, service.rows[0].place)


def _indicator(row: SheetRow) -> str:
    return row.get("MA_CHI_SO") or row.get("TEN_CHI_SO")


def _service_code(service: _Service, name: str, conventions: FileConventions) -> Resource:
    found: Resource = {}
    if service.code:
        found["coding"] = [conventions.coding(conventions.services, "ma-dich-vu", service.code, name)]
    first = service.rows[0]
    called = name or ("" if service.code else first.get("TEN_CHI_SO") or first.get("MA_CHI_SO") or _ITSELF)
    return {**found, "text": called} if called else found


def _observation(
    row: SheetRow, service: _Service, name: str, conventions: FileConventions
) -> Resource | None:
    """The row without what it has of its service; None where it says a conclusion alone."""
    value, description = row.get("GIA_TRI"), row.get("MO_TA")
    if not value and not description:
        return None
    said = written_value(value, row.get("DON_VI_DO")) if value else {"valueString": description}
    found: Resource = {
        "resourceType": "Observation",
        "status": "final",
        "code": _indicator_code(row, service, name, conventions),
        **said,
    }
    notes = [description, row.get("KET_LUAN")] if value else []
    if told := [{"text": one} for one in notes if one]:
        found["note"] = told
    return found


def _indicator_code(row: SheetRow, service: _Service, name: str, conventions: FileConventions) -> Resource:
    code, called = row.get("MA_CHI_SO"), row.get("TEN_CHI_SO")
    if not code and not called:
        return _service_code(service, name, conventions)
    found: Resource = {}
    if code:
        found["coding"] = [conventions.coding(conventions.indicators, "ma-chi-so", code, called)]
    return {**found, "text": called} if called else found


def _conclusion(rows: Sequence[SheetRow]) -> Iterator[str]:
    """What is concluded where nothing was measured: there KET_LUAN is of the examination."""
    concluding = [row for row in rows if not row.get("GIA_TRI") and row.get("KET_LUAN")]
    for row in concluding:
        name = row.get("TEN_CHI_SO") if len(concluding) > 1 else ""
        yield f"{name}: {row.get('KET_LUAN')}" if name else row.get("KET_LUAN")
