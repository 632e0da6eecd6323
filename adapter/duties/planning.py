"""Planning for a hospital, as a worker does it: what is planned is delivered by whoever sees it first."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count

from sqlalchemy.exc import SQLAlchemyError

from adapter.duties.duty import SETTLE_TIME, no_progress
from adapter.duties.inbox_matching import MatchInbox
from adapter.duties.retention import ForgetExpired
from adapter.pipeline.application import Adapter
from adapter.pipeline.mappings.activation import MappingChoice, choose_mapping
from adapter.pipeline.outbound.sync import (
    RunContext,
    activate_mapping,
    plan_with_lock,
    planning_lock,
    stable_since,
)
from adapter.telemetry import get_logger

__all__ = ["PlanHospital"]

_AWAY = 3.0  # seconds between two tries to reach a database that is away
_TRIES = 20  # of a plan that it was away for, each after a longer pause: ten minutes in all
_log = get_logger(__name__)


@dataclass(frozen=True)
class PlanHospital:
    """On the hospital's schedule. Its lock is the turn to plan, which a sync takes too."""

    adapter: Adapter
    clock: Callable[[], datetime]
    hospital: str
    stop: threading.Event

    @property
    def name(self) -> str:
        """See Duty."""
        return self.hospital

    @property
    def cron(self) -> str:
        """See Duty."""
        return self.adapter.settings.hospital(self.hospital).schedule

    def run(self) -> None:
        """See Duty. Done again while the database is away: the next beat may be a day ahead."""
        for tries in count(1):
            try:
                return self._plan()
            except SQLAlchemyError as error:
                if tries > _TRIES or self.stop.is_set():
                    raise
                _log.warning("worker.no_database", error=type(error).__name__)
                self.stop.wait(_AWAY * tries)

    def _plan(self) -> None:
        adapter = self.adapter
        MatchInbox(adapter, self.clock).run()
        settled = stable_since(adapter, self.clock(), SETTLE_TIME)
        context = RunContext(adapter, self.clock, no_progress, self.stop)
        turn = planning_lock(adapter, self.hospital)
        try:
            choice = self._mapping(context, settled)
            ForgetExpired(adapter, self.clock, self.hospital).run()
        except BaseException:
            adapter.ledger.named_locks.give_back(turn)
            raise
        planned = plan_with_lock(context, choice, turn, by="worker")
        if planned.changed:
            _log.info("worker.planned", hospital=self.hospital, changes=planned.changed)

    def _mapping(self, context: RunContext, settled: datetime | None) -> MappingChoice:
        chosen = partial(choose_mapping, keep=True, settled=settled)
        return activate_mapping(context, self.hospital, chosen, "worker")
