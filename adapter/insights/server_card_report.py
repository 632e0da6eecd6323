"""A hospital's server card and what it means, as far as it was measured."""

from dataclasses import dataclass
from datetime import datetime

from adapter.delivery.decisions.strategy import WriteStrategy, choose_strategy
from adapter.delivery.doctor.examination import ExaminationResult, ProbeLimits
from adapter.delivery.doctor.findings import CardFinding, card_findings
from adapter.ledger.server_cards.card import UNMEASURED, CardDifference, ServerCard, parse_drift
from adapter.pipeline.application import Adapter
from adapter.settings import HospitalSettings

__all__ = ["CardFinding", "ServerCardReport", "probe_limits", "stored_card_report", "write_strategy"]


@dataclass(frozen=True, slots=True)
class ServerCardReport:
    """A hospital's card and what it means. `examined` is this run's examination, None where the kept card
    is only shown; `measured_at` None: there is no card. `replaced`: the address of the server whose card this
    run's replaced.
    """

    hospital: str
    card: ServerCard
    measured_at: datetime | None
    lines: tuple[CardFinding, ...]
    drift: tuple[CardDifference, ...]
    examined: ExaminationResult | None = None
    replaced: str | None = None

    @property
    def exit_code(self) -> int:
        """0, or 1 when there is something that a person should see."""
        found = self.examined
        failed = found is not None and bool(found.trouble or found.left or found.stopped or found.notes)
        worse = any(line.level in ("costs", "bad") for line in self.lines)
        return int(failed or worse or bool(self.drift) or self.measured_at is None)


def stored_card_report(adapter: Adapter, name: str, now: datetime) -> ServerCardReport:
    """What is known of a hospital's server, without asking it."""
    stored = adapter.cards.get(name)
    card = stored.card if stored else UNMEASURED
    return ServerCardReport(
        name,
        card,
        stored.measured_at if stored else None,
        card_findings(card, probe_limits(adapter.settings.hospital(name)), now) if stored else (),
        parse_drift(stored.drift) if stored else (),
    )


def write_strategy(adapter: Adapter, found: ServerCardReport) -> WriteStrategy | None:
    """How the hospital is written to because of its card; None where nothing was measured."""
    if not found.lines:
        return None
    hospital = adapter.settings.hospital(found.hospital)
    return choose_strategy(found.card, max_entries=hospital.max_entries, max_bytes=hospital.max_bytes)


def probe_limits(hospital: HospitalSettings) -> ProbeLimits:
    """As much as the settings allow a request to hold: no more is measured."""
    return ProbeLimits(hospital.max_entries, hospital.max_bytes)
