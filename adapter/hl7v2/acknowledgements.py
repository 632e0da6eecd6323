"""The answer to a message (HL7 v2.5.1, chapter 2.9). Pure: the same of the same."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from adapter.hl7v2.message import MessageHeader

__all__ = ["Acknowledgement", "acknowledgement_bytes"]

_VIETNAM: Final = timezone(timedelta(hours=7))
_WITH_ERR_CODES: Final = ("2.5", "2.5.1")
_LONGEST: Final = 80  # of MSA-3


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """`code` is MSA-1; `condition` a code of table 0357, `where` ERR-2 ("OBX^3^5"), `text` words without
    anything of the person's.
    """

    code: str
    control_id: str  # of the answer itself
    at: datetime
    condition: int = 0
    where: str = ""
    text: str = ""


def _code(header: MessageHeader | None, code: str) -> str:
    """MSA-1: of a sender in enhanced mode that wants to hear of the commit and of nothing else, as such (CA,
    CE, CR). It is the commit that is answered for: who wants both hears the one that says more.
    """
    when = {"AL", "SU" if code == "AA" else "ER"}
    if header is None or header.accept_answer not in when or header.application_answer in when:
        return code
    return f"C{code[1]}"


def acknowledgement_bytes(header: MessageHeader | None, answer: Acknowledgement) -> bytes:
    """The answer's bytes, in UTF-8, with the sender's delimiters. `header` is that of the message; None
    where it had none: it is answered for all the same, without its control id.
    """
    marks = header.delimiters if header else None
    field = marks.field if marks else "|"
    component = marks.component if marks else "^"
    encoding = (
        "".join((marks.component, marks.repetition, marks.escape, marks.subcomponent)) if marks else "^~\\&"
    )
    version = header.version if header else "2.5.1"
    event = component.join(filter(None, ("ACK", header.event if header else "")))
    text = "".join(
        " " if letter in field + encoding or ord(letter) < 32 else letter for letter in answer.text
    )
    moment = answer.at.astimezone(_VIETNAM).strftime("%Y%m%d%H%M%S%z")
    control_id = header.control_id if header else ""
    sender = (header.receiving_application, header.receiving_facility) if header else ("", "")
    receiver = (header.application, header.facility) if header else ("", "")
    processing = header.processing if header else "P"
    charset = "UNICODE UTF-8"
    msh = (
        "MSH",
        encoding,
        *sender,
        *receiver,
        moment,
        "",
        event,
        answer.control_id,
        processing or "P",
        version,
    )
    lines = [
        field.join((*msh, *[""] * 5, charset)),
        field.join(("MSA", _code(header, answer.code), control_id, text[:_LONGEST])),
    ]
    if answer.code != "AA":
        where = answer.where.replace("^", component)
        coded = f"{answer.condition}{component}{component}HL70357"
        if version in _WITH_ERR_CODES:
            lines.append(field.join(("ERR", "", where, coded, "E", "", "", "", text)))
        else:
            lines.append(field.join(("ERR", component.join(filter(None, (where, str(answer.condition)))))))
    return "".join(f"{line}\r" for line in lines).encode()
