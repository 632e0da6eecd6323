"""Which visit a row of results is of that names none: that of its person, kind and day, if there is one."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

__all__ = ["AskedVisit", "FoundVisits", "LookUpVisits", "VisitFinder", "made_key"]

AskedVisit = tuple[str, str, str]
"""Person, code of the kind, day as in 20260315."""


def made_key(asked: AskedVisit, key_space: str = "") -> str:
    """The key that is made of these for a visit that has none."""
    return f"{'.'.join(asked)}{key_space}"


@dataclass(frozen=True, slots=True)
class FoundVisits:
    """Keys of visits, and whose each is. `has_made`: that of the made key is stored."""

    keys: tuple[tuple[str, str], ...]
    has_made: bool


LookUpVisits = Callable[[Collection[AskedVisit]], Mapping[AskedVisit, FoundVisits]]
"""Those of which visits are known, but for those that have the made key alone."""


class VisitFinder:
    """What a wide table asks of its rows' visits. Closed until all other visits of the import were read: keys
    are made for all until then. `on_open` forgets what was made of the table before.
    """

    def __init__(self, on_open: Callable[[], None]) -> None:
        self._on_open = on_open
        self._look_up: LookUpVisits | None = None
        self._found: dict[AskedVisit, FoundVisits] = {}
        self._complete = False
        self.doubtful: dict[int, tuple[str, ...]] = {}  # by the row's number, the keys of several visits
        self.elsewhere: set[int] = set()  # rows whose visit is not made of them

    @property
    def is_open(self) -> bool:
        """Whether it is known which visits there are."""
        return self._look_up is not None

    def open(self, look_up: LookUpVisits) -> None:
        """From now on the visits are those that `look_up` knows."""
        self._look_up, self._complete = look_up, False
        self._found.clear()
        self.doubtful.clear()
        self.elsewhere.clear()
        self._on_open()

    def ask(self, asked: Collection[AskedVisit]) -> None:
        """Look up the visits of some rows at once."""
        if self._look_up is not None and not self._complete and asked:
            self._found.update(self._look_up(asked))

    def close_questions(self) -> None:
        """All rows were asked about."""
        self._complete = self.is_open

    def of(self, asked: AskedVisit) -> FoundVisits | None:
        """What was found, None where the key is made."""
        return self._found.get(asked)
