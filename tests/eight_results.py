"""Eight results, each written once for every door that can carry it, and what a record says of them.

Of what a result says its form, its numbers and its way are of its door; what is compared is the rest: what
was measured, on which day, its value in the hospital's and in our unit, conclusions, documents, and of which
referral they are.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hl7v2_centre import PATIENT, message
from inbox_centre import put_records
from national_xml_centre import SUMMARY, VISIT, file_of
from page_centre import DUC, HOME, PUBLIC, plan, records
from page_centre import referral as page_referral
from pdf_files import result_pdf

from adapter.fhir import codec
from adapter.insights.person_record import person_record, result_parts
from adapter.pipeline.application import Adapter
from adapter.records.model import Referral
from adapter.testing import Centre, free_port

__all__ = [
    "CORRECTION",
    "DOCUMENT",
    "EIGHT",
    "KEY",
    "EightResult",
    "correction_of",
    "doors_centre",
    "form_of",
    "messages_of",
    "said_of",
    "xml_of",
]

KEY = "GT-1"
DAY = datetime.now(UTC).date() - timedelta(days=3)
LOINC = "http://loinc.org"
CONCLUSION = "Không thấy tổn thương"
DOCUMENT = result_pdf("Ket qua")


@dataclass(frozen=True, slots=True)
class EightResult:
    """A value (`loinc`, `name` and `label` of what was measured, the latter as the page has it), or a
    conclusion, or a document. `status` is HL7's (table 0085).
    """

    number: str
    loinc: str
    name: str
    label: str = ""
    value: str = ""
    unit: str = ""
    ucum: str = ""
    status: str = "F"


_CREATININE = ("LAB-1", "14682-9", "Creatinin", "Creatinin (µmol/L)")
CORRECTION = EightResult(*_CREATININE, "101.0", "µmol/L", "umol/L", "C")
EIGHT = (
    EightResult(*_CREATININE, "104.0", "µmol/L", "umol/L"),
    EightResult("LAB-2", "14749-6", "Glucose", "BIO-GLU", "7.80", "mmol/L", "mmol/L"),
    EightResult("LAB-3", "1988-5", "CRP", "BIO-CRP", "<0.5", "mg/L", "mg/L"),
    EightResult("LAB-4", "718-7", "Huyết sắc tố", "HEM-HGB", "13.5", "g/dL", "g/dL"),
    EightResult("LAB-5", "11524-6", "Điện tâm đồ", "FUN-ECG", "Nhịp xoang đều"),
    EightResult("CDHA-6", "19005-8", "Kết luận", value=CONCLUSION),
    EightResult("GPB-7", "PDF", "Phiếu kết quả"),
    CORRECTION,
)
_INPUT = re.compile(r'<input(?: type="hidden")? name="((?:id|value|unit)-\d+)"[^>]* value="([^"]*)">')
_AREA = re.compile(r'<textarea name="(value-\d+)"[^>]*>([^<]*)</textarea>')
_OF_ALL = "11502-2^Laboratory report^LN"


@contextmanager
def doors_centre(folder: Path, database_url: str) -> Iterator[tuple[Centre, int, str]]:
    """A centre with one referral, whose hospital may come through every door; the port of its MLLP listener,
    and the referral's identity.
    """
    port = free_port()
    (folder / "drop").mkdir(parents=True)
    section = {
        "base_url": "http://10.0.0.7:8080/fhir",
        "display": "Bệnh viện tỉnh",
        "hl7v2": {"addresses": ["127.0.0.1"]},
        "national_xml": {"folder": "drop", "system": "https://bv-tinh.example/xml", "indicators": LOINC},
    }
    made = Centre(
        folder, hospitals={HOME: section}, database_url=database_url, settings={"public_url": PUBLIC}
    )
    with made as centre:
        text = centre.settings_file.read_text("utf-8")
        centre.settings_file.write_text(f"{text}\n[mllp]\nport = {port}\n", "utf-8")
        with centre.open() as adapter:
            put_records(adapter.engine, records(page_referral(KEY)))
            plan(adapter)
            identity = adapter.identities.of(HOME, "ServiceRequest", Referral.kind, KEY)
        yield centre, port, identity


# -- as a message, and by it as a transaction and as JSON -------------------------------------


def messages_of(identity: str, results: Sequence[EightResult]) -> Iterator[bytes]:
    """An ORU^R01 for each."""
    for control, one in enumerate(results):
        day = f"{DAY:%Y%m%d}"
        order = ("OBR", "1", identity, one.number, _OF_ALL, "", "", day)
        yield message(
            "ORU^R01",
            PATIENT,
            "|".join((*order, *[""] * 14, f"{day}143000", "", "", one.status)),
            _observed(one),
            control_id=f"m{control}",
        ).encode()


def _observed(one: EightResult) -> str:
    code = f"{one.loinc}^{one.name}^LN"
    if one.loinc == "PDF":
        content = b64encode(DOCUMENT).decode()
        return f"OBX|1|ED|PDF^{one.name}^L||^application^pdf^Base64^{content}||||||{one.status}"
    if not one.ucum:
        return f"OBX|1|ST|{code}||{one.value}||||||{one.status}"
    kind, value = ("SN", f"<^{one.value[1:]}") if one.value.startswith("<") else ("NM", one.value)
    return f"OBX|1|{kind}|{code}||{value}|{one.ucum}^{one.unit}^UCUM|||||{one.status}"


# -- on the page, and in the insurer's XML ------------------------------------------------


def form_of(results: Sequence[EightResult]) -> Mapping[str, str]:
    """The form of the page with these, which are all."""
    fields = {"examined": DAY.isoformat(), "extent": "all"}
    for row, one in enumerate((one for one in results if one.label), 1):
        written = one.value.replace(".", ",") if one.ucum else one.value
        fields |= {f"measure-{row}": one.label, f"value-{row}": written, f"unit-{row}": one.unit}
    concluded = [one.value for one in results if one.value and not one.label]
    return {**fields, **({"conclusion": concluded[0]} if concluded else {})}


def correction_of(page: str) -> Mapping[str, str]:
    """The form of the page in which these are corrected, with the correction written in it."""
    form = page.partition("/correct")[2]
    fields = dict(_INPUT.findall(form)) | dict(_AREA.findall(form))
    [row] = [name.partition("-")[2] for name, text in fields.items() if text == EIGHT[0].value]
    return {**fields, f"value-{row}": CORRECTION.value.replace(".", ",")}


def xml_of(identity: str, results: Sequence[EightResult]) -> bytes:
    """A file with these; a document has no place in it."""
    rows = []
    for number, one in enumerate(results, 1):
        row = {"MA_LK": VISIT, "STT": str(number), "MA_DICH_VU": one.number, "NGAY_KQ": f"{DAY:%Y%m%d}1430"}
        if one.label:
            row |= {
                "MA_CHI_SO": one.loinc,
                "TEN_CHI_SO": one.name,
                "GIA_TRI": one.value,
                "DON_VI_DO": one.unit,
            }
        elif one.value:
            row |= {"KET_LUAN": one.value}
        rows.append(row)
    return file_of({"XML1": [{**SUMMARY, "GIAY_CHUYEN_TUYEN": identity}], "XML4": rows})


# -- what the record says -----------------------------------------------------------------


def said_of(adapter: Adapter) -> list[bytes]:
    """What the person's record says of all results, each as JSON, in order."""
    found = person_record(adapter, DUC.key)
    assert found is not None
    said: list[dict[str, str | None]] = [
        {
            "of": part.measure or title,
            "value": part.value_words,
            "local": part.local.words if part.local else "",
        }
        | {"range": part.range_words, "flag": part.flag_words, "referral": result.referral}
        | {"status": result.status, "day": str(time or result.issued_at)[:10]}
        for result, title, part, time in result_parts(found.results)
    ]
    for one in found.results:
        said += [{"conclusion": text, "referral": one.referral} for text in [one.conclusion] if text]
        said += [{"document": each.digest, "referral": one.referral} for each in one.content.attachments]
    return sorted({codec.dumps(one) for one in said})
