"""What is asked of results: which a doctor is to see, what one says, what is to follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapter.insights.audited_viewer import AuditedViewer

if TYPE_CHECKING:
    from adapter.insights.result_item import ResultItem
    from adapter.insights.results_to_see import ResultTask, UnseenResult

__all__ = ["ResultInsights"]


@dataclass(frozen=True)
class ResultInsights(AuditedViewer):
    """The part of `Insights` that is of results."""

    def unseen_results(self, *, with_normal: bool = False) -> "Sequence[UnseenResult]":
        """Results that no doctor has seen as they are now: abnormal ones first, the oldest first. Audited."""
        from adapter.insights.results_to_see import unseen_results

        found = unseen_results(self.adapter, self.clock(), with_normal=with_normal)
        self._note_look("results.listed", items=len(found))
        return found

    def result_tasks(self) -> "Sequence[ResultTask]":
        """What doctors said is to follow and is not in the records yet, the oldest first. Audited."""
        from adapter.insights.results_to_see import result_tasks

        found = result_tasks(self.adapter)
        self._note_look("results.listed", items=len(found))
        return found

    def result(self, key: str, command: str = "result show") -> "ResultItem":
        """One result with all that it says. Raises UsageError where there is none of that key. Audited."""
        from adapter.insights.result_item import result_item

        found = result_item(self.adapter, key)
        self.audit_read([("result", key)], command)
        return found
