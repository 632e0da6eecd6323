"""What was found out about a document, in words."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from adapter.texts import has_text, say

__all__ = ["FoundSigner", "remark_words", "signature_words"]


class FoundSigner(Protocol):
    """A digital signature as the record or the door has it."""

    @property
    def state(self) -> str: ...
    @property
    def signer(self) -> str | None: ...
    @property
    def issuer(self) -> str | None: ...
    @property
    def signed_at(self) -> str | None: ...
    @property
    def is_stamped(self) -> bool: ...
    @property
    def trust(self) -> str | None: ...


def remark_words(remarks: Sequence[str]) -> Iterator[str]:
    """What was found in a document, a sentence each."""
    return (say(f"pdf.remark_{one}") if has_text(f"pdf.remark_{one}") else one for one in remarks)


def signature_words(one: FoundSigner) -> str:
    """Who signed, when, whether the document is as it was; whether that is trusted, where roots say so."""
    at = one.signed_at
    said = [
        say("pdf.signed_by", signer=one.signer or "-", issuer=one.issuer or "-"),
        say("pdf.stamped_at" if one.is_stamped else "pdf.signed_at", at=at) if at else "",
        say(f"pdf.signature_{one.state}") if has_text(f"pdf.signature_{one.state}") else one.state,
    ]
    if one.trust:
        said.append(say(f"pdf.{one.trust}"))
    return "; ".join(filter(None, said))
