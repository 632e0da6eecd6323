"""What a message says where its fields do not show the words: a name is in parts there, and in another
order than it is said. Pure, and for messages too that could not be read.
"""

import re
from typing import Final

__all__ = ["spoken_names"]

_FIELD: Final = re.compile(r"[|~\r\n]")
_COMPONENT: Final = "^"
_MOST_PARTS: Final = 6  # of an XPN; what has more is no name


def spoken_names(text: str) -> str:
    """All that could be names (family^given^middle), each as it is said: family, middle, given. The
    delimiters are taken for the usual ones.
    """
    parts = (field.split(_COMPONENT) for field in _FIELD.split(text) if _COMPONENT in field)
    return "\n".join(
        " ".join((one[0].partition("&")[0], *one[2:3], one[1])) for one in parts if len(one) <= _MOST_PARTS
    )
