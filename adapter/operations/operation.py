"""What every operation has: a name, a preview with the version of what was seen, who does it, and its
undoing.

::

    seen = operation.preview(context)           # frozen, writes nothing
    operation.perform(context, seen.version)    # refused when what was seen has changed since

Who previews and who performs may be minutes apart, and another person may have acted in between: the version
is compared as late as the act allows. What says whose something is (link, merge) and what moves a switch
compare it in their transaction or under their locks, where nobody can come between; the others right before
they begin.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import orjson

from adapter.errors import Outdated
from adapter.pipeline.application import Adapter

if TYPE_CHECKING:
    from adapter.pipeline.mappings.activation import ProgressCallback

__all__ = ["Operation", "OperationContext", "Preview", "version_of"]

Shown = TypeVar("Shown")
Done = TypeVar("Done")


def _silent(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class OperationContext:
    """Who acts on which adapter, by which clock; `progress` watches, and `stop` ends it early."""

    adapter: Adapter
    by: str
    clock: Callable[[], datetime]
    progress: "ProgressCallback" = _silent
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Preview(Generic[Shown]):
    """What an operation would do. `version` names the state that this was worked out from."""

    shown: Shown
    version: str


class Operation(ABC, Generic[Shown, Done]):
    """One thing that a person may do. Subclasses are frozen values: their fields say what is to be done."""

    name: ClassVar[str]
    """As a person would call it, `inbox.link`."""
    audited_as: ClassVar[tuple[str, ...]]
    """The actions that it leaves in the audit; empty where it changes nothing of anybody's data."""

    def preview(self, context: OperationContext) -> Preview[Shown]:
        """What would be done, and the version of what was looked at. Writes nothing. Raises UsageError for
        what does not exist.
        """
        shown = self.look(context)
        return Preview(shown, self.version(shown))

    def perform(self, context: OperationContext, seen: str | None = None) -> Done:
        """Do it. `seen` is the version of the preview that it was decided on; None where nobody looked.
        Raises Outdated when it is another by now.
        """

        def unchanged() -> None:
            if seen is not None and self.version(self.look(context)) != seen:
                raise Outdated("operation.outdated")

        return self.act(context, unchanged)

    @abstractmethod
    def look(self, context: OperationContext) -> Shown:
        """What it would do, as a frozen value. Writes nothing."""

    @abstractmethod
    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> Done:
        """Do it, and write it into the audit. Calls `unchanged` where nobody can come between any more."""

    def version(self, shown: Shown) -> str:
        """Names the state that `shown` was worked out from: all of it, unless a part passes by itself."""
        return version_of(shown)

    def undo(self, before: Shown) -> "Operation[Any, Any] | None":
        """What takes it back, given the preview of how it was before; None where nothing does."""
        return None


def version_of(shown: object) -> str:
    """A digest of a frozen value: the same for the same content."""
    content = orjson.dumps(shown, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return blake2b(content, digest_size=12).hexdigest()
