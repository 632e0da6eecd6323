"""How one hospital's files are read: the systems of its numbers and codes. Pure."""

from dataclasses import dataclass
from typing import Final

from adapter.fhir.codec import Resource

__all__ = ["FileConventions"]

_IDENTITY: Final = 32  # hexadecimal digits of an identity of ours


@dataclass(frozen=True, slots=True)
class FileConventions:
    """`ours` is the system of the identities that the hospital was sent, `own` the address below which its
    own numbers stand; the others are the systems of SO_CCCD, MA_THE_BHYT, MA_DICH_VU and MA_CHI_SO.
    """

    ours: str
    own: str
    citizen_id: str = ""
    insurance_number: str = ""
    services: str = ""
    indicators: str = ""

    def numbered(self, kind: str, number: str) -> Resource:
        """An identifier of the hospital's own, of a kind: `visit`, `result`, `patient`, …"""
        return {"system": f"{self.own}/{kind}", "value": number}

    def person_number(self, system: str, kind: str, number: str) -> Resource:
        """A national or insurance number, under the agreed system or else one of the hospital's own."""
        return {"system": system, "value": number} if system else self.numbered(kind, number)

    def coding(self, system: str, kind: str, code: str, display: str) -> Resource:
        """A Coding, under the agreed system or else one of the hospital's own."""
        found: Resource = {"system": system or f"{self.own}/{kind}", "code": " ".join(code.split())}
        return {**found, "display": display} if display else found

    def order_identifier(self, number: str) -> Resource:
        """Of a referral's number: the centre's own, as it was sent, or another's."""
        plain = own_identity(number)
        return {"system": self.ours, "value": plain} if plain else self.numbered("order", number)


def own_identity(number: str) -> str:
    """An identity of ours as it was sent; "" for any other number."""
    plain = number.replace("-", "").strip().lower()
    is_ours = len(plain) == _IDENTITY and all(letter in "0123456789abcdef" for letter in plain)
    return plain if is_ours else ""
