"""Check-ups of the small sample on the national form, as XML files."""

from pathlib import Path
from xml.sax.saxutils import escape

from his import sample_rows

from adapter.records.sheets import cell_parsers

_PHYSICAL = {
    "VS-BP": "HUYET_AP",
    "VS-HR": "MACH",
    "VS-RR": "NHIP_THO",
    "VS-TEMP": "NHIET_DO",
    "VS-HEIGHT": "CHIEU_CAO",
    "VS-WEIGHT": "CAN_NANG",
    "VS-BMI": "BMI",
    "VS-WAIST": "VONG_BUNG",
}
_EYE = {"EYE-VA-RU": "KHONG_KINH_PHAI", "EYE-VA-LU": "KHONG_KINH_TRAI"}
_ADVICE = {"Bình thường": 1, "Theo dõi": 2, "Tiếp tục điều trị": 3, "Chuyển khám": 4, "Khác": 5}
_CLASSES = {"Loại I": 1, "Loại II": 2, "Loại III": 3, "Loại IV": 4, "Loại V": 5}


def _element(name: str, text: object) -> str:
    return f"<{name}>{escape(str(text))}</{name}>" if text != "" else f"<{name}/>"


def _moment(written: str) -> str:
    return cell_parsers.parse_datetime(written).strftime("%Y%m%d%H%M") if written else ""


def checkup(visit: list[str], measured: list[list[str]], found: list[list[str]]) -> str:
    """One check-up; rows are those of the sample's sheets."""
    person = next(row for row in sample_rows("Cán bộ") if row[0] == visit[1])
    physical = "".join(_element(_PHYSICAL[row[3]], row[5]) for row in measured if row[3] in _PHYSICAL)
    eye = "".join(_element(_EYE[row[3]], row[5]) for row in measured if row[3] in _EYE)
    rest = [row for row in measured if row[3] not in _PHYSICAL | _EYE]
    laboratory = "".join(
        "<CHI_TIET>"
        + _element("MA_DICH_VU", "XN")
        + _element("MA_CHI_SO", row[3])
        + _element("TEN_CHI_SO", row[4])
        + _element("GIA_TRI", row[5])
        + _element("DON_VI_DO", row[6])
        + "</CHI_TIET>"
        for row in rest
    )
    diseases = "".join(
        "<BENH>"
        + _element("MA_BENH", row[3])
        + _element("TEN_BENH", row[4])
        + _element("XAC_DINH", int(row[5] == "Xác định"))
        + _element("MOI_PHAT_HIEN", int(row[6] == "Có"))
        + "</BENH>"
        for row in found
    )
    administrative = (
        _element("MA_LK", visit[0])
        + _element("HO_TEN", person[1])
        + _element("GIOI_TINH", {"Nam": 1, "Nữ": 2}[person[2]])
        + _element("NGAY_SINH", _moment(person[3]))
        + _element("SO_CCCD", person[6])
        + _element("MA_THE_BHYT", person[8].replace(" ", ""))
        + _element("NGAY_KHAM", _moment(visit[3]))
        + _element("NGAY_KET_THUC", _moment(visit[4]))
    )
    conclusion = (
        _element("PHAN_LOAI_SK", _CLASSES[visit[9]])
        + _element("KET_LUAN_CHUNG", visit[7])
        + _element("HUONG_XU_TRI", _ADVICE[visit[8]])
        + f"<DS_BENH>{diseases}</DS_BENH>"
    )
    return (
        f"<HO_SO_KSK><HANH_CHINH>{administrative}</HANH_CHINH>\n"
        f"<KHAM_THE_LUC>{physical}</KHAM_THE_LUC><CHUYEN_KHOA><MAT>{eye}</MAT></CHUYEN_KHOA>\n"
        f"<XET_NGHIEM>{laboratory}</XET_NGHIEM><KET_LUAN>{conclusion}</KET_LUAN></HO_SO_KSK>\n"
    )


def document(*checkups: str, encoding: str = "UTF-8") -> bytes:
    """A file of check-ups."""
    body = "".join(checkups)
    return f'<?xml version="1.0" encoding="{encoding}"?>\n<DS_KSK>\n{body}</DS_KSK>\n'.encode(encoding)


def write_forms(
    folder: Path, visits: list[list[str]], measurements: list[list[str]], diagnoses: list[list[str]]
) -> None:
    """The check-ups as two files, one in UTF-8 and one in UTF-16."""
    folder.mkdir()
    forms = [
        checkup(
            visit,
            [row for row in measurements if row[1] == visit[0]],
            [row for row in diagnoses if row[2] == visit[0]],
        )
        for visit in visits
    ]
    half = len(forms) // 2
    (folder / "a.xml").write_bytes(document(*forms[:half]))
    (folder / "b.xml").write_bytes(document(*forms[half:], encoding="UTF-16"))
