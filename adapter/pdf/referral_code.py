"""What the QR code of a referral sheet says: the identity of the referral at its hospital, as a token of
FHIR's search, `system|value` (http://hl7.org/fhir/R4/search.html#token), and nothing of the person. Pure.
"""

import re
from typing import Final

__all__ = ["grouped_identity", "referral_code", "referral_identity"]

_IDENTITY: Final = re.compile(r"[0-9a-f]{32}")
_GROUP: Final = 4


def referral_code(system: str, identity: str) -> str:
    """The text of the code."""
    return f"{system}|{identity}"


def referral_identity(code: str, system: str) -> str | None:
    """The identity that a code says under the centre's system; None for any other code."""
    named, _, value = code.strip().rpartition("|")
    value = value.casefold()
    return value if named == system and _IDENTITY.fullmatch(value) else None


def grouped_identity(identity: str) -> str:
    """An identity as it can be read aloud: `0123 4567 …`."""
    return " ".join(identity[place : place + _GROUP] for place in range(0, len(identity), _GROUP))
