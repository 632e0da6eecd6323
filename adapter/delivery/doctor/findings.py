"""What a card means for the work: a line per behaviour, with what it costs (pure).

The words are in the texts: `doctor.<field>` names the behaviour, `doctor.yes_<field>` and
`doctor.no_<field>` say what the adapter does because of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from adapter.delivery.doctor.examination import ProbeLimits
from adapter.ledger.server_cards.card import ServerCard

__all__ = ["FINDING_ORDER", "CardFinding", "Level", "card_findings"]

Level = Literal["good", "plain", "unknown", "costs", "bad"]

_CLOCK = 60.0  # seconds of difference that a person should see
_CERTIFICATE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class CardFinding:
    """One behaviour. `says` is what the server says of itself (None: nothing), `does` what was measured
    (None: not measured), `detail` a status or form beside it, `effect` the key of a text ("" for none).
    `level`: good; plain (makes no difference); unknown (not measured, the safe side is taken); costs
    (slower, or a person should know); bad (dangerous, or it cannot work).
    """

    behaviour: str
    says: bool | None
    does: Any
    detail: str
    level: Level
    effect: str


# field -> (level when it is not so, the fields that must be true for it to matter)
_FACTS: dict[str, tuple[Level, tuple[str, ...]]] = {
    "guarded": ("bad", ()),
    "deletes": ("bad", ()),
    "search_by_identifier": ("bad", ()),
    "search_is_fresh": ("costs", ("search_by_identifier",)),
    "search_several": ("costs", ("search_by_identifier",)),
    "paging": ("costs", ("search_by_identifier",)),
    "transaction": ("costs", ()),
    "atomic": ("costs", ("transaction",)),
    "batch": ("plain", ()),
    "urn_references": ("costs", ("transaction", "atomic")),
    "paired": ("costs", ("bundles",)),
    "names_ids": ("costs", ("bundles",)),
    "conditional_create": ("costs", ()),
    "conditional_update": ("costs", ()),
    "encoded_urls": ("costs", ("bundles", "conditional_update")),
    "conditional_reference": ("plain", ("bundles",)),
    "if_match": ("costs", ()),
    "bundle_if_match": ("costs", ("bundles", "if_match")),
    "if_match_star": ("plain", ()),
    "same_is_no_version": ("plain", ()),
    "client_ids": ("plain", ()),
    "revives_deleted": ("plain", ()),
    "gzip_requests": ("plain", ()),
}
_DETAIL = {"if_match": "if_match_status", "deletes": "deleted_status"}


def card_findings(card: ServerCard, limits: ProbeLimits, now: datetime) -> tuple[CardFinding, ...]:
    """Every behaviour that matters at this server, in the order of the page."""
    special = {name: judged(card, limits, now) for name, judged in _SPECIAL.items()}
    found = {name: line for name, line in special.items() if line is not None}
    found |= {name: _fact(card, name) for name in _FACTS if _matters(card, name)}
    return tuple(found[name] for name in FINDING_ORDER if name in found)


def _matters(card: ServerCard, name: str) -> bool:
    if name == "guarded":
        return card.guarded is not None  # nothing to be measured where no token is wanted
    return all(_holds(card, needed) for needed in _FACTS[name][1])


def _holds(card: ServerCard, name: str) -> bool:
    if name == "bundles":
        return card.transaction is not False or card.batch is not False
    return getattr(card, name) is not False


def _fact(card: ServerCard, name: str) -> CardFinding:
    does = getattr(card, name)
    otherwise = _FACTS[name][0]
    detail = str(getattr(card, _DETAIL[name]) or "") if name in _DETAIL else ""
    level: Level = "good" if does else otherwise
    effect = f"doctor.{'yes' if does else 'no'}_{name}"
    if otherwise == "plain":
        level, effect = "plain", effect if does is not None else ""
    elif does is None:
        level = "unknown"
    return CardFinding(name, card.says.get(name), does, detail, level, effect)


def _version(card: ServerCard, _limits: ProbeLimits, _now: datetime) -> CardFinding:
    right = card.fhir_version is not None and card.fhir_version.startswith("4.0")
    level: Level = "good" if right else "unknown" if card.fhir_version is None else "bad"
    effect = "doctor.yes_fhir_version" if right else "doctor.no_fhir_version"
    return CardFinding("fhir_version", None, card.fhir_version, card.software or "", level, effect)


def _clock(card: ServerCard, _limits: ProbeLimits, _now: datetime) -> CardFinding | None:
    if card.clock_skew is None:
        return None
    right = abs(card.clock_skew) <= _CLOCK
    effect = "doctor.yes_clock_skew" if right else "doctor.no_clock_skew"
    return CardFinding("clock_skew", None, card.clock_skew, "", "good" if right else "costs", effect)


def _certificate(card: ServerCard, _limits: ProbeLimits, now: datetime) -> CardFinding | None:
    if card.tls_until is None:
        return None
    right = datetime.fromisoformat(card.tls_until) - now > _CERTIFICATE
    effect = "doctor.yes_tls_until" if right else "doctor.no_tls_until"
    return CardFinding("tls_until", None, card.tls_until[:10], "", "good" if right else "costs", effect)


def _size(name: str) -> Callable[[ServerCard, ProbeLimits, datetime], CardFinding | None]:
    def judged(card: ServerCard, limits: ProbeLimits, _now: datetime) -> CardFinding | None:
        taken, wanted = getattr(card, name), getattr(limits, name)
        if not _holds(card, "bundles"):
            return None
        enough = taken is not None and taken >= wanted
        level: Level = "good" if enough else "unknown" if taken is None else "costs"
        return CardFinding(name, None, taken, "", level, f"doctor.{'yes' if enough else 'no'}_{name}")

    return judged


def _single_size(card: ServerCard, limits: ProbeLimits, _now: datetime) -> CardFinding:
    taken = card.max_single_bytes
    if taken is None:
        return CardFinding("max_single_bytes", None, None, "", "unknown", "")
    enough = taken >= limits.max_bytes
    effect = f"doctor.{'yes' if enough else 'no'}_max_single_bytes"
    return CardFinding("max_single_bytes", None, taken, "", "good" if enough else "costs", effect)


def _several(card: ServerCard, _limits: ProbeLimits, _now: datetime) -> CardFinding | None:
    status = card.several_matches
    if status is None:
        return None
    wrote = status < 300
    effect = "doctor.no_several_matches" if wrote else "doctor.yes_several_matches"
    return CardFinding("several_matches", None, status, "", "bad" if wrote else "plain", effect)


def _types(card: ServerCard, _limits: ProbeLimits, _now: datetime) -> CardFinding | None:
    if card.missing_types is None:
        return None
    all_there = card.missing_types == "none"
    level: Level = "good" if all_there else "costs"
    effect = f"doctor.{'yes' if all_there else 'no'}_missing_types"
    return CardFinding("missing_types", None, card.missing_types, "", level, effect)


def _retry(card: ServerCard, _limits: ProbeLimits, _now: datetime) -> CardFinding | None:
    if card.retry_after is None:
        return None
    return CardFinding("retry_after", None, card.retry_after, "", "plain", "doctor.yes_retry_after")


def _speed(card: ServerCard, _limits: ProbeLimits, _now: datetime) -> CardFinding | None:
    took = card.seconds_an_entry
    if took is None:
        return None
    return CardFinding(
        "seconds_an_entry", None, f"{took * 1000:.0f} ms", "", "plain", "doctor.yes_seconds_an_entry"
    )


_SPECIAL: dict[str, Callable[[ServerCard, ProbeLimits, datetime], CardFinding | None]] = {
    "fhir_version": _version,
    "tls_until": _certificate,
    "clock_skew": _clock,
    "retry_after": _retry,
    "max_entries": _size("max_entries"),
    "seconds_an_entry": _speed,
    "max_bytes": _size("max_bytes"),
    "max_single_bytes": _single_size,
    "several_matches": _several,
    "missing_types": _types,
}

FINDING_ORDER = (
    *("fhir_version", "tls_until", "clock_skew", "guarded", "retry_after"),
    *("missing_types", "search_by_identifier", "search_is_fresh", "search_several", "paging"),
    *("transaction", "atomic", "batch", "urn_references", "conditional_reference", "paired", "names_ids"),
    *(
        "max_entries",
        "max_bytes",
        "max_single_bytes",
        "seconds_an_entry",
        "conditional_create",
        "conditional_update",
        "encoded_urls",
    ),
    *("several_matches", "if_match", "bundle_if_match", "if_match_star", "same_is_no_version"),
    *("deletes", "client_ids", "revives_deleted", "gzip_requests"),
)
