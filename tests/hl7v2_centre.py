"""A centre of one person with a referral at bv-tinh, a hospital that speaks HL7 v2; its messages and a
sender.
"""

import random
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from endpoint_centre import DUC, centre_of_one
from inbox_centre import put_records
from sqlalchemy import func, select

from adapter.database import read_transaction, write_transaction
from adapter.inbox.quarantine.tables import refused_request
from adapter.inbox.tables import inbox_item
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.tables import entry
from adapter.mllp.frames import FrameScanner, framed
from adapter.pipeline.application import Adapter
from adapter.records.model import Referral, Result
from adapter.repository.tables import repository_resource, repository_version
from adapter.testing import Centre, free_port

HOSPITAL = "bv-tinh"
REFERRAL = Referral(
    key="GT-1",
    cadre=DUC.key,
    hospital=HOSPITAL,
    service="WORKUP-CARD",
    ordered_at=datetime.now(UTC) - timedelta(days=30),
)
PATIENT = "PID|1||BN0001^^^BVT||Đỗ^Đức^Văn||19600312|M"


def hold_referral(adapter: Adapter) -> str:
    """The ledger says that the hospital holds the referral; its identity there."""
    identity = adapter.identities.of(HOSPITAL, "ServiceRequest", Referral.kind, REFERRAL.key)
    put_records(adapter.engine, (REFERRAL,))
    row = {
        "hospital": HOSPITAL,
        "identity": identity,
        "cadre": DUC.key,
        "type": "ServiceRequest",
        "rank": 0,
        "kind": Referral.kind,
        "key": REFERRAL.key,
        "state": EntryState.DELIVERED,
        "remote_id": "held-order",
        "mapping_version": "",
        "attempts": 0,
        "changed_at": datetime.now(UTC) - timedelta(days=20),
    }
    with write_transaction(adapter.engine) as connection:
        connection.execute(entry.insert(), [row])
    return identity


@contextmanager
def centre_with_mllp(folder: Path, database_url: str, **hl7v2: Any) -> Iterator[tuple[Centre, int, str]]:
    """The centre, the port of its listener, and the referral's identity."""
    port = free_port()
    section = {"addresses": ["127.0.0.1"], **hl7v2}
    with centre_of_one(folder, database_url, hl7v2=section) as centre:
        text = centre.settings_file.read_text("utf-8")
        centre.settings_file.write_text(f"{text}\n[mllp]\nport = {port}\nmax_bytes = 100000\n", "utf-8")
        with centre.open() as adapter:
            identity = hold_referral(adapter)
        yield centre, port, identity


def message(
    kind: str,
    *segments: str,
    control_id: str = "1",
    version: str = "2.5",
    charset: str = "UNICODE UTF-8",
    at: str = "20261102150500",
) -> str:
    """A message of a type (`ORU^R01`)."""
    header = f"MSH|^~\\&|LIS|BVT|ADAPTER|CENTRE|{at}||{kind}|{control_id}|P|{version}||||||{charset}"
    return "".join(f"{one}\r" for one in (header, *segments))


def report_message(
    identity: str, *, control_id: str = "1", value: str = "104.0", status: str = "F", version: str = "2.5"
) -> str:
    """A result of the referral."""
    moments = ["", "", "20261102080000", *[""] * 14, "20261102143000", "", "", status]
    return message(
        "ORU^R01",
        PATIENT,
        f"ORC|RE|{identity}|LAB-1",
        "|".join(("OBR", "1", identity, "LAB-1", "24323-8^Sinh hóa^LN", *moments)),
        f"OBX|1|NM|2160-0^Creatinin^LN||{value}|umol/L^^UCUM|62-106|N|||{status}",
        control_id=control_id,
        version=version,
    )


class MllpSender:
    """One connection, with each message answered before the next is sent."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self._reader = FrameScanner(1_000_000)

    def __enter__(self) -> "MllpSender":
        return self

    def __exit__(self, *error: object) -> None:
        self.sock.close()

    def send(self, sent: str | bytes) -> None:
        self.sock.sendall(framed(sent.encode() if isinstance(sent, str) else sent))

    def answer(self) -> str:
        """The next answer; ConnectionError where the listener hangs up first."""
        while True:
            data = self.sock.recv(65_536)
            if not data:
                raise ConnectionError("hung up")
            for frame in self._reader.feed(data):
                return frame.data.decode()

    def ask(self, sent: str | bytes) -> str:
        self.send(sent)
        return self.answer()


def field(answer: str, segment: str, number: int) -> str:
    """A field of an answer; "" where there is none."""
    for line in answer.split("\r"):
        parts = line.split(answer[3])
        if parts[0] == segment:
            place = number - 1 if segment == "MSH" else number
            return parts[place] if place < len(parts) else ""
    return ""


def counted(adapter: Adapter) -> dict[str, int]:
    """What there is of it all."""
    tables = (inbox_item, refused_request, repository_resource, repository_version)
    with read_transaction(adapter.engine) as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables
        }


def results(adapter: Adapter) -> list[Result]:
    return [one for one in adapter.records.iterate("result") if isinstance(one, Result)]


def referral(adapter: Adapter) -> Referral:
    found = adapter.records.get("referral", REFERRAL.key)
    assert isinstance(found, Referral)
    return found


def malformed(chance: random.Random, whole: bytes) -> bytes:
    """The message, spoilt in one of the ways in which messages are."""
    lines = whole.split(b"\r")
    way = chance.randrange(10)
    place = chance.randrange(len(whole))
    if way == 0:
        return whole[: max(place, 1)]
    if way == 1:
        return whole[place:] or b"\r"
    if way == 2:
        noise = bytes(one for one in chance.randbytes(40) if one not in b"\x0b\x1c")
        return whole[:place] + noise + whole[place:]
    if way == 3:
        chance.shuffle(lines)
        return b"\r".join(lines)
    if way == 4:
        del lines[chance.randrange(len(lines))]
        return b"\r".join(lines)
    if way == 5:
        return whole.replace(b"|", bytes([chance.randrange(33, 127)]), chance.randrange(1, 30))
    if way == 6:
        return whole.replace(
            b"ORU^R01", chance.choice((b"ADT^A01", b"ORU", b"", b"^^^", b"ORU^R30", b"QRY^A19"))
        )
    if way == 7:
        spoilt = chance.choice((b"|NM|", b"|2.5|", b"|F\r", b"20261102", b"LAB-1", b"2160-0"))
        return whole.replace(
            spoilt, chance.choice((b"||", b"|?|", b"|" + b"9" * 500 + b"|", b"\\X4\\", b"\x00"))
        )
    if way == 8:
        return whole + b"OBX|2|ED|PDF||^application^pdf^Base64^%%%|||||F\r" * chance.randrange(1, 40)
    return whole.replace(b"OBX|1|NM", b"OBX" + b"|" * chance.randrange(1, 60_000), 1)


def new_certificates(folder: Path) -> dict[str, Any]:
    """A server's certificate for localhost and a client's, each its own authority; the client's
    fingerprint.
    """
    found: dict[str, Any] = {}
    for name in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        begun = datetime.now(UTC) - timedelta(days=1)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begun)
            .not_valid_after(begun + timedelta(days=30))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = made.public_bytes(serialization.Encoding.PEM)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{name}.pem").write_bytes(pem)
        (folder / f"{name}.key").write_bytes(secret)
        (folder / f"{name}-both.pem").write_bytes(pem + secret)
        found[name] = folder / f"{name}-both.pem"
        if name == "client":
            found["fingerprint"] = made.fingerprint(hashes.SHA256()).hex()
    return {
        **found,
        "certificate": folder / "server.pem",
        "key": folder / "server.key",
        "client_ca": folder / "client.pem",
    }
