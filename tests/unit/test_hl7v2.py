"""HL7 v2 without input or output: its parts, its characters, and what each message becomes."""

import json
import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hl7
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from legacy_text import WRITERS

from adapter.errors import MessageRefused
from adapter.fhir import codec
from adapter.fhir.validation.checker import check_resource
from adapter.hl7v2.acknowledgements import Acknowledgement, acknowledgement_bytes
from adapter.hl7v2.charsets import Charset
from adapter.hl7v2.conversion import MESSAGE_TYPES, convert_message
from adapter.hl7v2.escapes import unescaped
from adapter.hl7v2.message import Message, parse_header, parse_message
from adapter.hl7v2.observations import Finding, observation_of
from adapter.hl7v2.orders import ORDER_CONTROLS, ORDER_STATUSES
from adapter.hl7v2.refusals import SegmentPlace
from adapter.hl7v2.sender import SenderConventions
from adapter.hl7v2.timestamps import clock_time, date_time
from adapter.mllp.frames import Frame, FrameScanner, framed
from adapter.mllp.senders import SenderPeer, hospital_of, is_expected, is_possible, listened_hospitals
from adapter.settings import HospitalSettings
from adapter.settings.client import ClientRegistration
from adapter.settings.hl7v2 import Hl7v2Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "fixtures" / "hl7v2"
PAGE = (ROOT / "docs" / "hl7v2.md").read_text("utf-8")
MESSAGES = sorted(FOLDER.glob("*.hl7"))
PROFILE = SenderConventions(
    "https://cadre-health.example/fhir/sid/record",
    "https://bv-tinh.example/v2",
    authorities={"CCCD": "http://fhir.ehealth.gov.vn/core/sid/citizen_id"},
)
HEADER = "MSH|^~\\&|LIS|BVT|ADAPTER|CENTRE|20261102150500|{more}|ORU^R01|1|P|2.5"
DELIMITERS = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\"}


def parsed(data: bytes, charset: Charset = "utf-8") -> Message:
    return parse_message(data, parse_header(data), charset)


def converted(data: bytes) -> list[dict[str, Any]]:
    return [one["resource"] for one in convert_message(parsed(data), PROFILE).bundle["entry"]]


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_a_message_becomes_what_stands_beside_it(path: Path) -> None:
    bundle = convert_message(parsed(path.read_bytes()), PROFILE).bundle
    assert codec.dumps(bundle) == codec.dumps(codec.loads(path.with_suffix(".json").read_bytes()))


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_what_a_message_becomes_is_valid(path: Path) -> None:
    for resource in converted(path.read_bytes()):
        assert [issue.text for issue in check_resource(resource) if issue.is_error] == []


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_another_reader_finds_the_same_parts(path: Path) -> None:
    ours, theirs = parsed(path.read_bytes()), hl7.parse(path.read_bytes().decode())
    assert [one.name for one in ours.segments] == [str(one[0]) for one in theirs]
    for segment, other in zip(ours.segments, theirs, strict=True):
        fields = range(3 if segment.name == "MSH" else 1, len(segment.fields))
        assert [segment.raw(number) for number in fields] == [str(other[number]) for number in fields]
        for number in fields:
            repeated = [one.raw for one in segment.elements(number)]
            field = [str(one) for one in other[number]] if segment.raw(number) else []
            assert repeated == field


def test_there_is_a_message_of_each_kind() -> None:
    headers = [parse_header(path.read_bytes()) for path in MESSAGES]
    assert {one.type for one in headers} == {type_ for type_, _ in MESSAGE_TYPES} - {"ORM", "OMG", "ORG"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("A \\T\\ B", "A & B"),
        ("5 \\S\\ 3 \\F\\ \\R\\ \\E\\", "5 ^ 3 | ~ \\"),
        ("một\\.br\\hai\\.sp2\\ba", "một\nhai\nba"),
        ("\\.in+4\\thụt\\.ti0\\", "thụt"),
        ("\\XC3A1\\", "á"),
        ("\\H\\cao\\N\\", "cao"),
        ("C:\\temp\\x", "C:\\temp\\x"),
        ("a\\b", "a\\b"),
        ("100\\", "100\\"),
        ("\\Zab\\", "\\Zab\\"),
        ("\\XFF\\", "\\XFF\\"),
        ("\\X0\\", "\\X0\\"),
        ("\\X00\\x", " x"),
        ("\\\\T\\", "\\&"),
    ],
)
def test_escapes(written: str, meant: str) -> None:
    assert unescaped(written, "\\", DELIMITERS, bytes.decode) == meant


@given(st.text(alphabet="\\TSFREXHN.br0aá&|", max_size=30))
def test_without_known_sequences_no_letter_is_lost(written: str) -> None:
    read = unescaped(written, "\\", {}, bytes.decode)
    if not any(mark in written for mark in ("X", "H", "N", ".")):
        assert read == written


@pytest.mark.parametrize(("charset", "font"), [("tcvn3", "TCVN3 (ABC)"), ("vni", "VNI")])
def test_old_fonts_are_read_where_the_settings_say_so(charset: Charset, font: str) -> None:
    for declared in ("", "8859/1", "ASCII"):
        text = WRITERS[font](f"{HEADER.format(more='')}||||||{declared}\rNTE|1||đường huyết cao")
        message = parsed(text.encode("cp1252"), charset)
        assert message.segments[1].elements(3)[0].text() == "đường huyết cao"
    utf8 = f"{HEADER.format(more='')}||||||UNICODE UTF-8\rNTE|1||đường huyết cao".encode()
    assert parsed(utf8, charset).segments[1].elements(3)[0].text() == "đường huyết cao"


def test_latin_1_and_a_byte_order_mark() -> None:
    latin = f"{HEADER.format(more='')}||||||8859/1\rNTE|1||café".encode("latin-1")
    assert parsed(latin).segments[1].elements(3)[0].text() == "café"
    marked = b"\xef\xbb\xbf" + f"{HEADER.format(more='')}\nNTE|1||một".encode()
    assert parsed(marked).segments[1].elements(3)[0].text() == "một"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", None),
        ("2026", "2026"),
        ("202611", "2026-11"),
        ("20261102", "2026-11-02"),
        ("2026110215", "2026-11-02"),
        ("202611021505", "2026-11-02T15:05:00+07:00"),
        ("20261102150507.25-0500", "2026-11-02T15:05:07.25-05:00"),
    ],
)
def test_times(written: str, meant: str | None) -> None:
    assert date_time(written, "+07:00", SegmentPlace("OBR", 1, 7)) == meant


@pytest.mark.parametrize(
    "written", ["yesterday", "20261302", "20260230", "202611022505", "2026-11-02", "00000000"]
)
def test_what_is_no_time_is_refused(written: str) -> None:
    with pytest.raises(MessageRefused) as refused:
        date_time(written, "+07:00", SegmentPlace("OBR", 2, 7))
    assert (refused.value.ack, refused.value.where) == ("AE", "OBR^2^7")
    assert written not in str(refused.value)


def test_times_of_the_day() -> None:
    assert [clock_time(one) for one in ("0815", "081530.5", "2500", "noon")] == [
        "08:15:00", "08:15:30.5", None, None,
    ]  # fmt: skip


def observed(type_: str, value: str, unit: str = "") -> dict[str, Any]:
    """`value[x]` of an OBX."""
    data = f"{HEADER.format(more='')}\rOBX|1|{type_}|X^Chỉ số^L||{value}|{unit}|||||P".encode()
    found = observation_of(Finding(parsed(data).segments[1]), "+07:00", PROFILE)
    loaded: dict[str, Any] = json.loads(codec.dumps(found), parse_float=str)
    return {name: one for name, one in loaded.items() if name.startswith("value")}


@pytest.mark.parametrize(
    ("type_", "value", "unit", "expected"),
    [
        ("NM", "5.30", "mmol/L", {"valueQuantity": {"value": "5.30", "unit": "mmol/L"}}),
        ("NM", "+7", "", {"valueQuantity": {"value": 7}}),
        ("NM", "<0.5", "mg/L", {"valueQuantity": {"value": "0.5", "comparator": "<", "unit": "mg/L"}}),
        ("NM", "5,3", "mmol/L", {"valueString": "5,3 mmol/L"}),
        ("NM", "âm tính", "", {"valueString": "âm tính"}),
        ("ST", "5.3", "mmol/L", {"valueQuantity": {"value": "5.3", "unit": "mmol/L"}}),
        ("ST", "5.3", "", {"valueString": "5.3"}),
        ("SN", ">=^40", "U/L", {"valueQuantity": {"value": 40, "comparator": ">=", "unit": "U/L"}}),
        ("SN", "^1^+", "", {"valueString": "1+"}),
        ("SN", "<>^7", "", {"valueString": "<>7"}),
        ("TM", "noon", "", {"valueString": "noon"}),
        ("XX", "a^b", "", {"valueString": "a b"}),
        ("TX", "a^b", "", {"valueString": "a^b"}),
        ("TX", '""', "", {}),
        ("CWE", "^^^^^^^^chữ", "", {"valueCodeableConcept": {"text": "chữ"}}),
    ],
)
def test_values(type_: str, value: str, unit: str, expected: dict[str, Any]) -> None:
    assert observed(type_, value, unit) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("F", "final"), ("C", "corrected"), ("P", "preliminary"), ("X", "cancelled"),
        ("D", "entered-in-error"), ("W", "entered-in-error"), ("", "unknown"), ("I", "registered"),
    ],
)  # fmt: skip
def test_what_became_of_a_result(status: str, expected: str) -> None:
    data = f"{HEADER.format(more='')}\rOBX|1|NM|X^Chỉ số^L||5||||||{status}".encode()
    assert observation_of(Finding(parsed(data).segments[1]), "+07:00", PROFILE)["status"] == expected


def test_nothing_is_said_that_the_message_does_not_say() -> None:
    data = f"{HEADER.format(more='')}\rOBR|1||LAB-1|X^Chỉ số^L\rOBX|1|NM|Y^Khác^L||5||||||F".encode()
    observation, report = converted(data)
    own = "https://bv-tinh.example/v2"
    assert observation == {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": f"{own}/code", "code": "Y", "display": "Khác"}], "text": "Khác"},
        "valueQuantity": {"value": 5},
        "identifier": [{"system": f"{own}/observation", "value": "LAB-1/X/Y"}],
    }
    assert report.keys() == {"resourceType", "identifier", "status", "code", "result"}
    assert report["status"] == "unknown"


def test_several_with_one_number_and_code_are_told_apart() -> None:
    isolate = "OBX|1|CE|634-6^Vi khuẩn^LN||ECO^E. coli^L||||||F"
    data = f"{HEADER.format(more='')}\rOBR|1||LAB-1|X^Cấy^L\r{isolate}\r{isolate}".encode()
    names = [one["identifier"][0]["value"] for one in converted(data)]
    assert names == ["LAB-1/X/634-6", "LAB-1/X/634-6.2", "LAB-1/X"]


def outcome(data: bytes) -> str:
    try:
        convert_message(parsed(data), PROFILE)
    except MessageRefused as refused:
        return refused.ack if str(refused) else ""
    return "AA"


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_whatever_comes_is_a_message_or_is_refused(noise: bytes) -> None:
    for data in (noise, b"MSH|^~\\&|" + noise, MESSAGES[0].read_bytes()[: len(noise)] + noise):
        assert outcome(data) in ("AA", "AE", "AR")


@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.4", "2.5", "2.5.1"])
def test_an_answer_is_one_that_another_reader_reads(version: str) -> None:
    data = HEADER.format(more="").replace("2.5", version).encode()
    answer = Acknowledgement(
        "AE", "77", datetime(2026, 11, 2, 8, tzinfo=UTC), 101, "OBX^3^5", "OBX-5 | is missing"
    )
    read = hl7.parse(acknowledgement_bytes(parse_header(data), answer).decode())
    assert (str(read["MSH"][0][5]), str(read["MSH"][0][9]), str(read["MSH"][0][12])) == (
        "LIS",
        "ACK^R01",
        version,
    )
    assert [str(read["MSA"][0][number]) for number in (1, 2, 3)] == ["AE", "1", "OBX-5   is missing"]
    error = read["ERR"][0]
    if version.startswith("2.5"):
        assert [str(error[number]) for number in (2, 3, 4)] == ["OBX^3^5", "101^^HL70357", "E"]
    else:
        assert str(error[1]) == "OBX^3^5^101"


def test_frames_are_found_whatever_pieces_they_come_in() -> None:
    sent = b"noise" + framed(b"one") + b"\r\n" + framed(b"two") + b"\x0bbroken off" + framed(b"three\r")
    for size in (1, 2, 7, 1000):
        reader = FrameScanner(100)
        pieces = (sent[start : start + size] for start in range(0, len(sent), size))
        found = [frame.data for piece in pieces for frame in reader.feed(piece)]
        assert found == [b"one", b"two", b"three\r"]
        assert not reader.is_inside


def test_a_frame_that_is_too_long_is_not_held() -> None:
    reader = FrameScanner(10_000)
    assert list(reader.feed(b"\x0bMSH|")) == []
    for _ in range(100):
        assert list(reader.feed(b"x" * 10_000)) == []
    assert len(reader._held) < 10_000
    [frame] = reader.feed(b"\x1c\r")
    assert (frame.is_too_long, frame.data[:4], len(frame.data) <= 4_000) == (True, b"MSH|", True)
    assert list(reader.feed(framed(b"next"))) == [Frame(b"next")]


def hospital(certificates: tuple[str, ...] = (), **section: Any) -> HospitalSettings:
    return HospitalSettings(
        display="BV",
        level="provincial",
        base_url="http://hospital.test",
        client=ClientRegistration(certificates=certificates),
        hl7v2=Hl7v2Settings(**section),
    )


def test_whose_message_it_is() -> None:
    listened = listened_hospitals(
        {
            "by-address": hospital(addresses=("10.1.0.0/16",), facility="BVA"),
            "beside-it": hospital(addresses=("10.1.2.3",), facility="BVB"),
            "by-port": hospital(addresses=("10.1.0.0/16",), port=2600),
            "by-certificate": hospital(certificates=("ab" * 32,)),
            "by-both": hospital(certificates=("cd" * 32,), addresses=("10.9.9.9",)),
            "not-at-all": hospital(),
        },
        2575,
        with_certificates=True,
    )
    assert [one.name for one in listened][-1] == "by-both"

    def whose(address: str, *sender: str, port: int = 2575, certificate: str | None = None) -> str | None:
        origin = SenderPeer(port, address, certificate)
        return hospital_of(listened, origin, (sender[0], sender[1])) if is_expected(listened, origin) else "-"

    assert whose("10.1.2.3", "LIS", "BVA") == "by-address"
    assert whose("10.1.2.3", "LIS", "BVB") == "beside-it"
    assert whose("10.1.2.3", "LIS", "BVC") is None
    assert whose("10.1.2.4", "LIS", "BVB") is None
    assert whose("10.2.0.1", "LIS", "BVA") == "-"
    assert whose("10.1.2.3", "LIS", "", port=2600) == "by-port"
    assert whose("192.0.2.1", "LIS", "", certificate="ab" * 32) == "by-certificate"
    assert whose("192.0.2.1", "LIS", "", certificate="cd" * 32) == "-"
    assert whose("10.9.9.9", "LIS", "", certificate="cd" * 32) == "by-both"
    assert whose("fe80::1", "LIS", "BVA") == "-"


def test_without_certificates_who_has_one_is_known_by_its_address() -> None:
    both = {
        "one": hospital(addresses=("10.1.2.3",), certificates=("ab" * 32,)),
        "two": hospital(certificates=("cd" * 32,)),
    }
    listened = listened_hospitals(both, 2575, with_certificates=False)
    assert [one.name for one in listened] == ["one"]
    assert is_possible(listened, SenderPeer(2575, "10.1.2.3"))
    assert not is_possible(listened, SenderPeer(2575, "10.1.2.4"))


def test_two_that_cannot_be_told_apart_are_nobody() -> None:
    both = {"one": hospital(addresses=("10.1.2.3",)), "two": hospital(addresses=("10.1.2.3",))}
    listened = listened_hospitals(both, 2575, with_certificates=False)
    assert hospital_of(listened, SenderPeer(2575, "10.1.2.3"), ("LIS", "BVA")) is None


def _first_cells(heading: str) -> set[str]:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def test_the_page_names_what_is_understood() -> None:
    section = PAGE.split("\n## What a message becomes\n")[1].split("\n## ")[0]
    named = set(re.findall(r"`([A-Z]{3}\^[A-Z]\d\d)`", section))
    assert named == {f"{type_}^{event}" for type_, event in MESSAGE_TYPES}
    codes = _first_cells("Answers to a referral") - {"ORC-1", "ORC-5"}
    assert codes == {*ORDER_CONTROLS, *ORDER_STATUSES}


logging.getLogger("hl7").setLevel(logging.CRITICAL)
