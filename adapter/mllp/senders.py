"""Whose message it is: by where it was listened, by certificate or address, by MSH-3 and MSH-4. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from adapter.settings import HospitalSettings

__all__ = [
    "ListenedHospital",
    "SenderPeer",
    "hospital_of",
    "is_expected",
    "is_possible",
    "listened_hospitals",
]


@dataclass(frozen=True, slots=True)
class SenderPeer:
    """`port` is ours, `address` the sender's; `certificate` the SHA-256 of what it showed (hexadecimal), None
    where it showed none.
    """

    port: int
    address: str
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class ListenedHospital:
    """A hospital that sends over MLLP, and how it is known."""

    name: str
    port: int
    networks: tuple[IPv4Network | IPv6Network, ...]
    certificates: frozenset[str]
    application: str
    facility: str


def listened_hospitals(
    hospitals: Mapping[str, HospitalSettings], port: int, *, with_certificates: bool
) -> tuple[ListenedHospital, ...]:
    """Those that have addresses, or (`with_certificates`: senders are asked for one) certificates; `port`
    is that of whoever has none of its own.
    """
    found = (
        ListenedHospital(
            name,
            one.hl7v2.port or port,
            tuple(map(ip_network, one.hl7v2.addresses)),
            frozenset(one.client.certificates if with_certificates else ()),
            one.hl7v2.application,
            one.hl7v2.facility,
        )
        for name, one in hospitals.items()
    )
    return tuple(one for one in found if one.networks or one.certificates)


def is_possible(hospitals: tuple[ListenedHospital, ...], peer: SenderPeer) -> bool:
    """Whether anybody may send from that address, whatever certificate he is yet to show: else no hand is
    shaken.
    """
    return any(one.port == peer.port and _is_address_of(one, peer) for one in hospitals)


def is_expected(hospitals: tuple[ListenedHospital, ...], peer: SenderPeer) -> bool:
    """Whether anybody sends from there: else nothing is read."""
    return any(_comes_from(one, peer) for one in hospitals)


def hospital_of(
    hospitals: tuple[ListenedHospital, ...], peer: SenderPeer, sender: tuple[str, str]
) -> str | None:
    """The one hospital that sends from there and calls itself so (MSH-3, MSH-4); None where there is none, or
    where it could be several.
    """
    application, facility = sender
    found = [
        one.name
        for one in hospitals
        if _comes_from(one, peer) and one.application in ("", application) and one.facility in ("", facility)
    ]
    return found[0] if len(found) == 1 else None


def _comes_from(hospital: ListenedHospital, peer: SenderPeer) -> bool:
    """Who has certificates in the settings must show one; addresses narrow that."""
    if hospital.port != peer.port:
        return False
    if hospital.certificates and peer.certificate not in hospital.certificates:
        return False
    return _is_address_of(hospital, peer)


def _is_address_of(hospital: ListenedHospital, peer: SenderPeer) -> bool:
    address = ip_address(peer.address)
    return not hospital.networks or any(address in network for network in hospital.networks)
