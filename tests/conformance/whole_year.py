"""Every resource of the sample year, and every golden one, before the official engine: `make validator`.

`make conformance` shows the engine one resource of each shape and 3,000 more; here nothing is left out, which
takes minutes. Ends with 1 where it finds an error.

Which resources the engine found without error is kept in .venv/conformance/sound, by digest, for this engine
alone: a run that was stopped goes on where it was, and after a change only what became of it is asked again.
`PYTHONPATH=tests python tests/conformance/whole_year.py --anew` forgets them first.
"""

import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from conformance.export import everything
from conformance.fetch import CACHE, HAPI
from conformance.validators import HapiProcess, resolved

_AT_ONCE = 1_000  # resources between two lines of progress, and lost when it is stopped
_SHOWN = 20


class Sound:
    """What this engine found without error, in a file that only grows."""

    def __init__(self, path: Path, engine: str) -> None:
        self._path = path
        head, *digests = path.read_text().splitlines() if path.is_file() else [""]
        self._known = set(digests) if head == engine else set()
        if not self._known:
            path.write_text(f"{engine}\n")

    def __contains__(self, line: bytes) -> bool:
        return _digest(line) in self._known

    def add(self, lines: Iterable[bytes]) -> None:
        """Keep what was found without error."""
        with self._path.open("a") as file:
            file.writelines(f"{_digest(line)}\n" for line in lines)


class Progress:
    """What was seen, by type, and how far it got."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self.by_type: Counter[str] = Counter()
        self.asked = 0
        self.wrong: list[tuple[bytes, list[str]]] = []

    def count(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The lines, each counted with its type."""
        for line in lines:
            self.by_type[json.loads(line)["resourceType"]] += 1
            yield line

    def said(self) -> str:
        """A line for whoever waits."""
        seen = self.by_type.total()
        minutes = (time.monotonic() - self._started) / 60
        before = f" ({seen - self.asked} of them in an earlier run)" if seen > self.asked else ""
        return f"{seen} resources{before}, {len(self.wrong)} with errors, {minutes:.1f} min"


def main(path: Path, *, anew: bool = False) -> int:
    """Show all of it to the engine; 1 where it finds an error."""
    if anew:
        path.unlink(missing_ok=True)
    sound, progress = Sound(path, (HAPI / "made-from").read_text()), Progress()
    lines = progress.count(map(resolved, everything()))
    with HapiProcess() as engine:
        for page in _pages(line for line in lines if line not in sound):
            found = list(zip(page, engine.errors(page), strict=True))
            progress.asked += len(page)
            progress.wrong += [(line, errors) for line, errors in found if errors]
            sound.add(line for line, errors in found if not errors)
            print(progress.said(), flush=True)
    for line, errors in progress.wrong[:_SHOWN]:
        print(line.decode(), *errors, sep="\n  ")
    for type_, number in sorted(progress.by_type.items()):
        print(f"{number:7} {type_}")
    print(progress.said())
    return 1 if progress.wrong or not progress.by_type else 0


def _pages(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    page: list[bytes] = []
    for line in lines:
        page.append(line)
        if len(page) == _AT_ONCE:
            yield page
            page = []
    if page:
        yield page


def _digest(line: bytes) -> str:
    return hashlib.blake2b(line, digest_size=16).hexdigest()


if __name__ == "__main__":
    sys.exit(main(CACHE / "sound", anew="--anew" in sys.argv))
