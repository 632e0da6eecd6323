"""How much memory this process has, and how it is given back to the system. Of Linux; elsewhere it is 0."""

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["give_back_memory", "resident_bytes"]

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Bytes in memory now; 0 where the system does not say."""
    try:
        return int(_STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


@cache
def _c_library() -> Any:
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "malloc_trim") else None
    except OSError:
        return None


def give_back_memory() -> None:
    """Hand back what the C library keeps of memory that was freed: after a large request that is most."""
    if (library := _c_library()) is not None:
        library.malloc_trim(0)
