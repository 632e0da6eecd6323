"""The system of a hospital that speaks HL7 v2: it scans a referral's sheet, and sends what was found."""

import socket
from datetime import datetime
from typing import Final

from adapter.errors import AdapterError
from adapter.mllp.frames import FrameScanner, framed
from adapter.pdf.examiner import examine_pdf

__all__ = ["Hl7v2System"]

_SECONDS: Final = 30
_ANSWER_BYTES: Final = 100_000


class Hl7v2System:
    """`name` is the hospital's; it sends to a port of this machine."""

    def __init__(self, name: str, port: int) -> None:
        self._name = name
        self._port = port

    @staticmethod
    def scan(sheet: bytes) -> str:
        """The identity of a referral, as the QR code of its sheet has it; "" where none is found."""
        codes = examine_pdf(sheet).codes
        return codes[0].rpartition("|")[2] if codes else ""

    def report(self, referral: str, moment: datetime) -> bytes:
        """An ORU^R01 (2.5) with two values and the conclusion of what was asked for."""
        at = moment.strftime("%Y%m%d%H%M%S")
        order = ["OBR", "1", referral, "HIS-2026-1", "11502-2^Laboratory report^LN", "", "", at]
        segments = (
            f"MSH|^~\\&|HIS|{self._name}|ADAPTER|CENTRE|{at}||ORU^R01|{at}-1|P|2.5||||||UNICODE UTF-8",
            "PID|1",
            f"ORC|RE|{referral}|HIS-2026-1",
            "|".join((*order, *[""] * 14, at, "", "", "F")),
            "OBX|1|NM|2160-0^Creatinin^LN||88|umol/L^^UCUM|62-106|N|||F",
            "OBX|2|NM|1742-6^ALT^LN||31|U/L^^UCUM|0-41|N|||F",
            "OBX|3|TX|19005-8^Kết luận^LN||Chức năng gan, thận trong giới hạn bình thường||||||F",
        )
        return "".join(f"{one}\r" for one in segments).encode()

    def send(self, message: bytes) -> str:
        """Send a message; what it was answered with (MSA-1), `AA` where it is safe. Raises AdapterError where
        nothing answers.
        """
        scanner = FrameScanner(_ANSWER_BYTES)
        try:
            with socket.create_connection(("127.0.0.1", self._port), _SECONDS) as connection:
                connection.sendall(framed(message))
                while data := connection.recv(65_536):
                    for frame in scanner.feed(data):
                        return _acknowledged(frame.data.decode())
        except OSError as error:
            raise AdapterError("demo.no_answer", name=self._name, url=f"mllp:{self._port}") from error
        raise AdapterError("demo.no_answer", name=self._name, url=f"mllp:{self._port}")


def _acknowledged(answer: str) -> str:
    return next((line.split("|")[1] for line in answer.split("\r") if line.startswith("MSA|")), "")
