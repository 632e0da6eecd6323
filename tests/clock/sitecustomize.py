"""Python starts processes with a moved clock by this (see troubles.Clock): since 3.11 `time.sleep` waits for
a moment of the monotonic clock, which libfaketime, told to leave that clock alone, refuses as invalid.
"""

import select
import time


def _sleep(seconds: float) -> None:
    select.select((), (), (), seconds)


time.sleep = _sleep
