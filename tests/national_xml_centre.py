"""Files of the insurer's XML, and a centre of one person with a referral at bv-tinh, which sends them."""

import base64
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from endpoint_centre import centre_of_one
from hl7v2_centre import hold_referral

from adapter.testing import Centre

IDENTITY = "ab" * 16
SYSTEM = "https://bv-tinh.example/xml"
ROWS = {
    "XML1": ("TONG_HOP",),
    "XML3": ("CHITIEU_CHITIET_DVKT_VTYT", "DSACH_CHI_TIET_DVKT", "CHI_TIET_DVKT"),
    "XML4": ("CHITIEU_CHITIET_DICHVUCANLAMSANG", "DSACH_CHI_TIET_CLS", "CHI_TIET_CLS"),
    "XML7": ("CHI_TIEU_DU_LIEU_GIAY_RA_VIEN",),
    "XML8": ("CHI_TIEU_DU_LIEU_TOM_TAT_HO_SO_BENH_AN",),
    "XML13": ("CHI_TIEU_GIAYCHUYENTUYEN",),
    "XML14": ("CHI_TIEU_GIAYHEN_KHAMLAI",),
}
VISIT = "LK-0001"
SUMMARY = {
    "MA_LK": VISIT,
    "STT": "1",
    "MA_BN": "BN0001",
    "HO_TEN": "Đỗ Văn Đức",
    "SO_CCCD": "024060012345",
    "NGAY_SINH": "196003120000",
    "GIOI_TINH": "1",
    "MA_THE_BHYT": "HT2240012345678",
    "LY_DO_VV": "Khám theo giấy giới thiệu",
    "NGAY_VAO": "202611020730",
    "NGAY_RA": "202611021500",
    "GIAY_CHUYEN_TUYEN": IDENTITY,
    "MA_LOAI_KCB": "01",
}
CREATININE = {
    "MA_LK": VISIT,
    "STT": "1",
    "MA_DICH_VU": "23.0051.1494",
    "MA_CHI_SO": "CREA",
    "TEN_CHI_SO": "Creatinin",
    "GIA_TRI": "104.0",
    "DON_VI_DO": "µmol/L",
    "NGAY_KQ": "202611021000",
    "MA_BS_DOC_KQ": "000001/BN-CCHN",
}
_CONTENT = re.compile(rb"(<NOIDUNGFILE>)([^<]*)(</NOIDUNGFILE>)")


def sheet_xml(name: str, *rows: Mapping[str, str]) -> str:
    """The XML of a sheet."""
    *around, row = ROWS[name]
    made = "".join(
        f"<{row}>" + "".join(f"<{key}>{escape(value)}</{key}>" for key, value in one.items()) + f"</{row}>"
        for one in rows
    )
    for element in reversed(around):
        made = f"<{element}>{made}</{element}>"
    return f'<?xml version="1.0" encoding="utf-8"?>\n{made}'


def visit_xml(sheets: Mapping[str, Any]) -> str:
    """A HOSO; a sheet is its rows, or text that stands for its XML."""
    files = []
    for name, said in sheets.items():
        xml = said if isinstance(said, str) else sheet_xml(name, *said)
        content = base64.b64encode(xml.encode()).decode()
        files.append(
            f"<FILEHOSO>\n<LOAIHOSO>{name}</LOAIHOSO>\n<NOIDUNGFILE>{content}</NOIDUNGFILE>\n</FILEHOSO>"
        )
    return "<HOSO>\n" + "\n".join(files) + "\n</HOSO>"


def file_of(*visits: Mapping[str, Any]) -> bytes:
    """A file of these visits, as a hospital exports it."""
    dossiers = "\n".join(map(visit_xml, visits))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<GIAMDINHHS>\n'
        "<THONGTINDONVI>\n<MACSKCB>24001</MACSKCB>\n</THONGTINDONVI>\n"
        f"<THONGTINHOSO>\n<NGAYLAP>20261102</NGAYLAP>\n<SOLUONGHOSO>{len(visits)}</SOLUONGHOSO>\n"
        f"<DANHSACHHOSO>\n{dossiers}\n</DANHSACHHOSO>\n</THONGTINHOSO>\n<CHUKYDONVI/>\n</GIAMDINHHS>\n"
    ).encode()


def result_file(identity: str, *, visit: str = VISIT, value: str = "104.0", **summary: str) -> bytes:
    """One result of the referral."""
    one = {**SUMMARY, "MA_LK": visit, "GIAY_CHUYEN_TUYEN": identity, **summary}
    return file_of({"XML1": [one], "XML4": [{**CREATININE, "MA_LK": visit, "GIA_TRI": value}]})


def opened(data: bytes) -> str:
    """A file with its sheets as text."""
    return _CONTENT.sub(lambda one: one[1] + base64.b64decode(one[2]) + one[3], data).decode()


def with_identity(data: bytes, identity: str) -> bytes:
    """A file of the fixtures that answers that referral."""

    def replaced(one: re.Match[bytes]) -> bytes:
        content = base64.b64decode(one[2]).replace(IDENTITY.encode(), identity.encode())
        return one[1] + base64.b64encode(content) + one[3]

    return _CONTENT.sub(replaced, data)


@contextmanager
def centre_with_folder(folder: Path, database_url: str, **section: Any) -> Iterator[tuple[Centre, Path, str]]:
    """The centre, the folder of bv-tinh, and the referral's identity."""
    drop = folder / "drop"
    drop.mkdir(parents=True)
    settings = {"folder": "drop", "system": SYSTEM, **section}
    with centre_of_one(folder, database_url, national_xml=settings) as centre:
        with centre.open() as adapter:
            identity = hold_referral(adapter)
        yield centre, drop, identity


def malformed(chance: random.Random, sheets: Mapping[str, Any]) -> bytes:
    """A file of one visit, spoilt in one of the ways in which files are."""
    if chance.random() < 0.5:
        return _spoilt_bytes(chance, file_of(sheets))
    return file_of({**sheets, **_spoilt_sheets(chance, sheets)})


def _spoilt_bytes(chance: random.Random, whole: bytes) -> bytes:
    place = chance.randrange(len(whole))
    name = chance.choice((b"GIAMDINHHS", b"HOSO", b"FILEHOSO", b"NOIDUNGFILE", b"LOAIHOSO"))
    entity = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>'
    encoding = chance.choice((b'encoding="windows-1258"', b'encoding="x"'))
    ways = (
        whole[: max(place, 1)],
        whole[place:] or b"<",
        whole[:place] + chance.randbytes(40) + whole[place:],
        whole.replace(b"<" + name, b"<X" + name, 1),
        whole.replace(b"\n<GIAMDINHHS>", entity + b"<GIAMDINHHS>", 1),
        whole.replace(b"<SOLUONGHOSO>1<", b"<SOLUONGHOSO>%d<" % chance.randrange(2, 10_000)),
        whole.replace(b'encoding="utf-8"', encoding, 1),
    )
    return chance.choice(ways)


def _spoilt_sheets(chance: random.Random, sheets: Mapping[str, Any]) -> dict[str, Any]:
    [summary], rows = sheets["XML1"], sheets["XML4"]
    wrong = chance.choice(("hôm qua", "20261340", "?", "0", "2026-11-02", "99999999"))
    dated, linked = chance.choice(("NGAY_VAO", "NGAY_RA", "NGAY_SINH")), chance.choice(("NGAY_KQ", "MA_LK"))
    ways: tuple[dict[str, Any], ...] = (
        {"XML4": "<a>" * chance.randrange(50, 5_000)},
        {"XML4": sheet_xml("XML4", *rows)[: -chance.randrange(1, 200)]},
        {"XML4": [{**one, linked: wrong} for one in rows]},
        {"XML1": [{**summary, dated: wrong}]},
        {"XML1": ""},
        {"XML4": [*rows, *rows], "XML1": sheet_xml("XML4", *rows)},
    )
    return chance.choice(ways)
