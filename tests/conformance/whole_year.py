"""Every resource of the sample year, and every golden one, before the official engine: `make validator`.

`make conformance` shows the engine one resource of each shape and 3,000 more; here nothing is left out, which
takes minutes. Ends with 1 where it finds an error.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice

from conformance.export import everything
from conformance.validators import hapi, resolved

_AT_ONCE = 20_000  # resources for one process of the engine
_SHOWN = 20


def main() -> int:
    """Show all of it to the engine; 1 where it finds an error."""
    started, seen = time.monotonic(), 0
    wrong: list[tuple[bytes, list[str]]] = []
    for page in _pages(map(resolved, everything())):
        wrong += [(line, found) for line, found in zip(page, hapi(page), strict=True) if found]
        seen += len(page)
        print(f"{seen} resources, {len(wrong)} with errors, {time.monotonic() - started:.0f} s", flush=True)
    for line, found in wrong[:_SHOWN]:
        print(line.decode(), *found, sep="\n  ")
    return 1 if wrong or not seen else 0


def _pages(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    left = iter(lines)
    while page := list(islice(left, _AT_ONCE)):
        yield page


if __name__ == "__main__":
    sys.exit(main())
