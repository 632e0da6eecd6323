"""What a process that holds people does first: it leaves no copy of its memory, and no service is root."""

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from adapter.errors import SettingsError

if TYPE_CHECKING:
    from adapter.settings import Settings

__all__ = ["leave_no_core", "refuse_root"]

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def leave_no_core() -> None:
    """No core dump of this process or its children, and no other process of this account may look into it."""
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def refuse_root(settings: "Settings") -> None:
    """Raises SettingsError where a service would run as root and the settings do not say that it may."""
    if os.geteuid() == 0 and not settings.allow_root:
        raise SettingsError("settings.is_root")
