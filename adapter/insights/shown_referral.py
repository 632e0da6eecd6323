"""What the hospital page and the printed sheet show of a referral, read from the resources that its hospital
should hold. Pure.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

from adapter.fhir.bundle import Target
from adapter.fhir.codec import Resource, plain_decimal
from adapter.insights.hospital_page import SentReferral
from adapter.records.referral_answers import ReferralMoment
from adapter.referrals.lifecycle import ReferralState

__all__ = [
    "ListedReferral",
    "ShownPerson",
    "ShownReferral",
    "ShownValue",
    "listed",
    "reference_target",
    "shown",
    "turning_points",
]

_VIETNAM: Final = timezone(timedelta(hours=7))


@dataclass(frozen=True, slots=True)
class ShownPerson:
    """As far as the hospital may know: a pseudonym has a name and perhaps a year. `numbers` are of cards."""

    name: str
    sex: str
    born: str
    numbers: Sequence[str] = ()
    telephone: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class ListedReferral:
    """A line of the list. `service` is empty where what changed is not planned for the hospital yet."""

    identity: str
    state: ReferralState
    service: str
    priority: str
    due: str
    person: ShownPerson | None
    appointment: str
    number: str


@dataclass(frozen=True, slots=True)
class ShownValue:
    """A measurement that came along."""

    name: str
    value: str
    flag: str
    day: str


@dataclass(frozen=True, slots=True)
class ShownReferral:
    """A referral with what was sent with it."""

    line: ListedReferral
    ordered: str
    category: str
    reason: str
    said: str
    reason_code: str
    onward: str
    progress: str
    question: str
    answer: str
    values: Sequence[ShownValue]
    diagnoses: Sequence[str]


def listed(sent: SentReferral) -> ListedReferral:
    """The line of a referral."""
    request, referral = sent.request or {}, sent.referral
    return ListedReferral(
        identity=sent.identity,
        state=referral.state,
        service=_words(request.get("code")),
        priority=str(request.get("priority", "routine")),
        due=_day(_at(request, "occurrencePeriod", "end")),
        person=_person(sent),
        appointment=_moment(referral.appointment_at),
        number=referral.hospital_number or "",
    )


def shown(sent: SentReferral) -> ShownReferral:
    """All that is shown of a referral. What the centre answered is shown as it was planned for the hospital:
    policy may keep words back.
    """
    request = sent.request or {}
    return ShownReferral(
        line=listed(sent),
        ordered=_day(request.get("authoredOn")),
        category=", ".join(filter(None, map(_words, request.get("category", ())))),
        reason="; ".join(filter(None, map(_reason, request.get("reasonCode", ())))),
        said=sent.referral.said or "",
        reason_code=sent.referral.reason_code or "",
        onward=sent.referral.onward or "",
        progress=(sent.referral.progress or "").replace("/", " / "),
        question=sent.referral.question or "",
        answer=_answer(sent),
        values=[_value(one) for one in _supporting(sent)],
        diagnoses=[_reason(one["code"]) for one in _of_visit(sent, "Condition") if "code" in one],
    )


def turning_points(moments: Sequence[ReferralMoment]) -> Sequence[ReferralMoment]:
    """Of what was said of a referral, that which took it on, or gave it another appointment."""
    found: list[ReferralMoment] = []
    for one in moments:
        is_new = not found or found[-1].state is not one.state
        if not one.is_odd and (is_new or one.state is ReferralState.SCHEDULED):
            found.append(one)
    return found


def _person(sent: SentReferral) -> ShownPerson | None:
    target = reference_target(_at(sent.request or {}, "subject", "reference"))
    found = sent.resources.get(target) if target else None
    if found is None:
        return None
    return ShownPerson(
        name=_first(found.get("name"), "text"),
        sex=str(found.get("gender", "")),
        born=_day(found.get("birthDate")),
        numbers=[
            f"{name}: {one['value']}" if (name := _words(one.get("type"))) else str(one["value"])
            for one in found.get("identifier", ())
            if one.get("value") and one.get("system") != sent.system
        ],
        telephone=_first(found.get("telecom"), "value"),
        address=_first(found.get("address"), "text"),
    )


def _answer(sent: SentReferral) -> str:
    """The words of the Task that focuses on the Task of this referral."""
    of_referral = {("Task", one) for one in _focusing(sent, {("ServiceRequest", sent.identity)})}
    for identity in _focusing(sent, of_referral):
        for output in sent.resources["Task", identity].get("output", ()):
            if isinstance(output.get("valueString"), str):
                return str(output["valueString"])
    return ""


def _focusing(sent: SentReferral, on: Collection[Target]) -> list[str]:
    """The identities of Tasks that focus on one of these."""
    return [
        identity
        for (type_, identity), one in sent.resources.items()
        if type_ == "Task" and reference_target(_at(one, "focus", "reference")) in on
    ]


def _supporting(sent: SentReferral) -> Iterator[Resource]:
    """What the referral names, else all of its visit."""
    named = [reference_target(one.get("reference")) for one in (sent.request or {}).get("supportingInfo", ())]
    if not named:
        return _of_visit(sent, "Observation")
    return (sent.resources[one] for one in named if one is not None and one in sent.resources)


def _of_visit(sent: SentReferral, type_: str) -> Iterator[Resource]:
    visit = _at(sent.request or {}, "encounter", "reference")
    for (kind, _), resource in sent.resources.items():
        if visit and kind == type_ and _at(resource, "encounter", "reference") == visit:
            yield resource


def _value(one: Resource) -> ShownValue:
    parts = [_measured(part).partition(" ") for part in one.get("component", ())]
    units = " / ".join(dict.fromkeys(unit for _, _, unit in parts))
    of_parts = f"{'/'.join(number for number, _, _ in parts)} {units}".strip()
    return ShownValue(
        name=_words(one.get("code")),
        value=_measured(one) or of_parts,
        flag=_words((one.get("interpretation") or [None])[0]),
        day=_day(one.get("effectiveDateTime") or _at(one, "effectivePeriod", "start")),
    )


def _measured(one: Mapping[str, Any]) -> str:
    if "valueRange" in one:
        ends = (_quantity(one["valueRange"].get(end, {})) for end in ("low", "high"))
        return " – ".join(filter(None, ends))
    if "valueRatio" in one:
        return ":".join(_quantity(one["valueRatio"].get(part, {})) for part in ("numerator", "denominator"))
    if "valueQuantity" in one:
        return _quantity(one["valueQuantity"])
    return str(one.get("valueString") or _words(one.get("valueCodeableConcept")))


def _quantity(quantity: Mapping[str, Any]) -> str:
    number = quantity.get("value")
    text = plain_decimal(number) if isinstance(number, Decimal) else str(number)
    return f"{quantity.get('comparator', '')}{text} {quantity.get('unit', '')}".strip()


def _reason(concept: Mapping[str, Any]) -> str:
    """In words, with a code that is no words."""
    words, codes = _words(concept), [str(one.get("code", "")) for one in concept.get("coding", ())]
    return words if not codes or codes[0] in words else f"{words} ({codes[0]})"


def _words(concept: Any) -> str:
    if not isinstance(concept, dict):
        return ""
    coded = (one.get("display") or one.get("code") for one in concept.get("coding", ()))
    return str(concept.get("text") or next(filter(None, coded), ""))


def _first(items: Any, name: str) -> str:
    return next((str(one[name]) for one in items or () if one.get(name)), "")


def _at(resource: Mapping[str, Any], name: str, inner: str) -> Any:
    found = resource.get(name)
    return found.get(inner) if isinstance(found, dict) else None


def reference_target(reference: Any) -> Target | None:
    """Type and identity of what a conditional reference leads to; None where it is none."""
    if not isinstance(reference, str) or "?identifier=" not in reference:
        return None
    type_, _, token = reference.partition("?identifier=")
    return type_, token.rpartition("|")[2]


def _day(written: Any) -> str:
    """A FHIR date or dateTime as it is written in Viet Nam: 02/11/2026, 11/2026, 2026."""
    day = str(written or "").partition("T")[0]
    return "/".join(reversed(day.split("-")))


def _moment(value: date | datetime | None) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(_VIETNAM).strftime("%H:%M %d/%m/%Y")
    return value.strftime("%d/%m/%Y")
