"""Which referral a PDF answers: by its QR codes or by what somebody said, never by its text. Pure."""

from collections.abc import Iterable

from adapter.errors import PdfRefused
from adapter.pdf.referral_code import referral_identity

__all__ = ["identities_in_codes", "named_referrals"]


def identities_in_codes(codes: Iterable[str], system: str) -> tuple[str, ...]:
    """The identities under the centre's system that QR codes say, each once; other codes say none."""
    found = (referral_identity(code, system) for code in codes)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def named_referrals(said: str | None, in_codes: tuple[str, ...]) -> tuple[str, ...]:
    """What it is based on: what was said, else what its codes say. Raises PdfRefused where the two differ:
    one of them is wrong, and which is for a person to say.
    """
    if said is None:
        return in_codes
    if in_codes and in_codes != (said,):
        raise PdfRefused("other_referral")
    return (said,)
