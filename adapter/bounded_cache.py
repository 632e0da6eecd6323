"""What was worked out before, and is worth keeping for the next time it is asked."""

from typing import TypeVar

__all__ = ["BoundedCache"]

_K = TypeVar("_K")
_V = TypeVar("_V")


class BoundedCache(dict[_K, _V]):
    """Answers by question: at most `max_entries` of them, with 0 none at all.

    When it is full it forgets all: what is asked often is soon there again, and a look into it stays as cheap
    as one into a dict. Threads may share one: at worst an answer is worked out twice.
    """

    def __init__(self, max_entries: int) -> None:
        super().__init__()
        self._most = max_entries

    def put(self, asked: _K, answer: _V) -> _V:
        """Remember the answer, and give it back."""
        if len(self) >= self._most:
            self.clear()
        if self._most:
            self[asked] = answer
        return answer
