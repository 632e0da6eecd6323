"""What is asked of results: which a doctor is to see, what one says, what is to follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapter.insights.audited_viewer import AuditedViewer
from adapter.records.model import Tier

if TYPE_CHECKING:
    from adapter.insights.result_item import ResultItem
    from adapter.insights.results_to_see import ResultTask, UnseenResult

__all__ = ["ResultInsights"]


@dataclass(frozen=True)
class ResultInsights(AuditedViewer):
    """The part of `Insights` that is of results."""

    def unseen_results(self, *, with_normal: bool = False, sees_t1: bool = True) -> "Sequence[UnseenResult]":
        """Results that no doctor has seen as they are now: abnormal ones first, the oldest first. Audited."""
        from adapter.insights.results_to_see import unseen_results

        found = unseen_results(self.adapter, self.clock(), with_normal=with_normal)
        shown = [one for one in found if sees_t1 or one.tier is not Tier.T1]
        self._note_look("results.listed", items=len(shown))
        return shown

    def result_tasks(self, *, sees_t1: bool = True) -> "Sequence[ResultTask]":
        """What doctors said is to follow and is not in the records yet, the oldest first. Audited."""
        from adapter.insights.results_to_see import result_tasks

        found = [one for one in result_tasks(self.adapter) if sees_t1 or one.tier is not Tier.T1]
        self._note_look("results.listed", items=len(found))
        return found

    def result(
        self, key: str, command: str = "result show", why: str | None = None, *, sees_t1: bool = True
    ) -> "ResultItem":
        """One result with all that it says. Raises UsageError where there is none of that key, or none that
        this viewer may know of. Audited, with why where that is asked.
        """
        from adapter.errors import UsageError
        from adapter.insights.result_item import result_item

        found = result_item(self.adapter, key)
        if found.tier is Tier.T1 and not sees_t1:
            raise UsageError("result.unknown", key=key)
        self.audit_read([("result", key)], command, why)
        return found
