"""What is measured at a check-up, and the findings that send somebody on. Values only, no verdicts."""

from dataclasses import dataclass
from random import Random

__all__ = [
    "ABNORMAL_FINDINGS",
    "CHECKUP_MEASURES",
    "FOLLOW_UP_CODES",
    "AbnormalFinding",
    "SampleMeasure",
    "measured_value",
]


@dataclass(frozen=True)
class SampleMeasure:
    """A measure of mappings/codes/measures.csv: usual values from `low` to `high` with `digits` decimals.

    `words` instead of numbers for a measure that is described. `range_` is the laboratory's own.
    """

    code: str
    name: str
    unit: str = ""
    low: float = 0
    high: float = 0
    digits: int = 0
    words: tuple[str, ...] = ()
    range_: tuple[str, str] | None = None
    sex: str | None = None


_NEGATIVE = ("Âm tính",) * 12 + ("âm tính", "Âm tính (-)", "Vết")
CHECKUP_MEASURES = (
    SampleMeasure("VS-BP", "Huyết áp", "mmHg"),
    SampleMeasure("VS-HR", "Mạch", "lần/phút", 58, 92),
    SampleMeasure("VS-RR", "Nhịp thở", "lần/phút", 14, 20),
    SampleMeasure("VS-TEMP", "Nhiệt độ", "°C", 36.1, 37.2, 1),
    SampleMeasure("VS-SPO2", "SpO2", "%", 95, 100),
    SampleMeasure("VS-HEIGHT", "Chiều cao", "cm", 150, 176),
    SampleMeasure("VS-WEIGHT", "Cân nặng", "kg", 47, 82, 1),
    SampleMeasure("VS-BMI", "Chỉ số BMI", "kg/m²"),
    SampleMeasure("VS-WAIST", "Vòng bụng", "cm", 70, 98),
    SampleMeasure(
        "EYE-VA-RU", "Thị lực mắt phải không kính", "x/10", words=("10/10", "9/10", "8/10", "6/10", "ĐNT 3m")
    ),
    SampleMeasure(
        "EYE-VA-LU", "Thị lực mắt trái không kính", "x/10", words=("10/10", "9/10", "8/10", "7/10", "5/10")
    ),
    SampleMeasure("EYE-IOP-R", "Nhãn áp mắt phải", "mmHg", 11, 20),
    SampleMeasure("EYE-IOP-L", "Nhãn áp mắt trái", "mmHg", 11, 20),
    SampleMeasure("HEM-RBC", "Số lượng hồng cầu", "T/L", 3.9, 5.6, 2),
    SampleMeasure("HEM-HGB", "Huyết sắc tố", "g/L", 122, 165),
    SampleMeasure("HEM-HCT", "Hematocrit", "%", 37, 49, 1),
    SampleMeasure("HEM-MCV", "MCV", "fL", 81, 99, 1),
    SampleMeasure("HEM-MCH", "MCH", "pg", 27, 32, 1),
    SampleMeasure("HEM-MCHC", "MCHC", "g/L", 320, 358),
    SampleMeasure("HEM-PLT", "Số lượng tiểu cầu", "G/L", 155, 380),
    SampleMeasure("HEM-WBC", "Số lượng bạch cầu", "G/L", 4.1, 9.8, 2),
    SampleMeasure("HEM-NEUP", "Bạch cầu trung tính (%)", "%", 46, 74, 1),
    SampleMeasure("HEM-LYMP", "Lympho (%)", "%", 20, 44, 1),
    SampleMeasure("HEM-ESR", "Tốc độ máu lắng (1 giờ)", "mm/h", 3, 18),
    SampleMeasure("BIO-GLUF", "Glucose máu lúc đói", "mmol/L", 4.2, 6.3, 2, range_=("3,9", "6,4")),
    SampleMeasure("BIO-HBA1C", "HbA1c", "%", 4.8, 6.0, 1),
    SampleMeasure("BIO-UREA", "Urê", "mmol/L", 2.6, 7.4, 2),
    SampleMeasure("BIO-CREA", "Creatinin", "µmol/L", 56, 108),
    SampleMeasure("BIO-EGFR", "Mức lọc cầu thận (eGFR)", "mL/phút/1,73m²", 62, 108),
    SampleMeasure("BIO-URIC", "Acid uric", "µmol/L", 190, 410),
    SampleMeasure("BIO-AST", "AST (GOT)", "U/L", 14, 37, 1),
    SampleMeasure("BIO-ALT", "ALT (GPT)", "U/L", 11, 40, 1, range_=("", "40")),
    SampleMeasure("BIO-GGT", "GGT", "U/L", 12, 48, 1),
    SampleMeasure("BIO-BILT", "Bilirubin toàn phần", "µmol/L", 5, 16.5, 1),
    SampleMeasure("BIO-ALB", "Albumin", "g/L", 37, 49, 1),
    SampleMeasure("BIO-CHOL", "Cholesterol toàn phần", "mmol/L", 3.9, 6.1, 2, range_=("3,9", "5,2")),
    SampleMeasure("BIO-TG", "Triglycerid", "mmol/L", 0.6, 2.4, 2),
    SampleMeasure("BIO-HDL", "HDL-C", "mmol/L", 0.9, 1.8, 2),
    SampleMeasure("BIO-LDL", "LDL-C (đo trực tiếp)", "mmol/L", 1.7, 3.9, 2),
    SampleMeasure("BIO-NA", "Natri", "mmol/L", 136, 144),
    SampleMeasure("BIO-K", "Kali", "mmol/L", 3.6, 4.9, 2),
    SampleMeasure("URI-SG", "Tỷ trọng", "", 1.006, 1.029, 3),
    SampleMeasure("URI-PH", "pH", "", 5, 7.5, 1),
    SampleMeasure("URI-LEU", "Bạch cầu (LEU)", words=_NEGATIVE),
    SampleMeasure("URI-NIT", "Nitrit", words=_NEGATIVE),
    SampleMeasure("URI-PRO", "Protein niệu", words=_NEGATIVE),
    SampleMeasure("URI-GLU", "Glucose niệu", words=_NEGATIVE),
    SampleMeasure("URI-KET", "Ceton", words=_NEGATIVE),
    SampleMeasure("URI-BLD", "Hồng cầu (BLD)", words=_NEGATIVE),
    SampleMeasure("TM-AFP", "AFP", "ng/mL", 1.1, 6.8, 2),
    SampleMeasure("TM-CEA", "CEA", "ng/mL", 0.6, 4.8, 2),
    SampleMeasure("TM-CA199", "CA 19-9", "U/mL", 2, 35, 1),
    SampleMeasure("TM-PSA", "PSA toàn phần", "ng/mL", 0.4, 3.9, 2, sex="male"),
    SampleMeasure("TM-CA125", "CA 125", "U/mL", 4, 33, 1, sex="female"),
    SampleMeasure("HOR-TSH", "TSH", "mIU/L", 0.4, 4.1, 2),
    SampleMeasure("HOR-FT4", "FT4", "pmol/L", 12.2, 21, 1),
    SampleMeasure("SER-HBSAG", "HBsAg", words=("Âm tính",) * 19 + ("Dương tính",)),
    SampleMeasure("SER-AHCV", "Anti-HCV", words=("Âm tính",)),
    SampleMeasure(
        "FUN-ECG", "Điện tâm đồ", words=("Nhịp xoang đều", "Nhịp xoang, trục trung gian", "Dày thất trái nhẹ")
    ),
    SampleMeasure(
        "IMG-CXR", "X-quang ngực thẳng", words=("Không thấy bất thường", "Quai động mạch chủ vồng")
    ),
    SampleMeasure(
        "IMG-USABD",
        "Siêu âm ổ bụng",
        words=("Không thấy bất thường", "Gan nhiễm mỡ độ I", "Nang thận đơn thuần"),
    ),
)
HIV_MEASURE = SampleMeasure("SER-HIV", "HIV Ag/Ab", words=("Âm tính",))
PAP_MEASURE = SampleMeasure("CYT-PAP", "Tế bào cổ tử cung (Pap)", words=("Bình thường",), sex="female")
FOLLOW_UP_CODES = ("VS-BP", "VS-HR", "BIO-GLUF", "BIO-CREA", "BIO-K")
HOME_VISIT_CODES = ("VS-BP", "VS-HR", "VS-SPO2", "BIO-GLUF", "BIO-CREA", "BIO-UREA")


@dataclass(frozen=True)
class AbnormalFinding:
    """A finding that needs more: its code, the values that show it, and who is asked for what."""

    icd10: str
    text: str
    services: tuple[str, ...]
    treatment: str
    values: tuple[tuple[str, str], ...]


ABNORMAL_FINDINGS = (
    AbnormalFinding(
        "I20.9",
        "Nghi cơn đau thắt ngực",
        ("WORKUP-CARD", "IMG-ECHO"),
        "TREAT-PCI",
        (("FUN-ECG", "ST chênh xuống V4-V6"), ("BIO-LDL", "4,85")),
    ),
    AbnormalFinding(
        "E11.9",
        "Đái tháo đường típ 2 mới phát hiện",
        ("WORKUP-ENDO",),
        "TREAT-MED",
        (("BIO-GLUF", "9,80"), ("BIO-HBA1C", "8,1")),
    ),
    AbnormalFinding(
        "R77.2",
        "AFP tăng, nốt gan hạ phân thùy VI",
        ("WORKUP-ONCO", "WORKUP-GI"),
        "TREAT-SURG",
        (("TM-AFP", "68,40"), ("IMG-USABD", "Nốt giảm âm gan phải 18 mm")),
    ),
    AbnormalFinding(
        "K63.5",
        "CEA tăng, nghi polyp đại tràng",
        ("END-COL", "WORKUP-GI"),
        "TREAT-ENDO",
        (("TM-CEA", "8,90"), ("HEM-HGB", "112")),
    ),
    AbnormalFinding(
        "K29.5", "Viêm dạ dày mạn, cần nội soi", ("END-EGD",), "TREAT-ENDO", (("TM-CA199", "48,0"),)
    ),
    AbnormalFinding(
        "N18.3",
        "Giảm mức lọc cầu thận",
        ("WORKUP-RENAL",),
        "TREAT-MED",
        (("BIO-CREA", "152"), ("BIO-EGFR", "43"), ("URI-PRO", "Dương tính 1+")),
    ),
    AbnormalFinding(
        "E04.1",
        "Nhân đơn độc tuyến giáp",
        ("IMG-USTHY", "WORKUP-ENDO"),
        "TREAT-SURG",
        (("HOR-TSH", "<0,01"), ("HOR-FT4", "27,5")),
    ),
    AbnormalFinding(
        "R91",
        "Nốt mờ phổi phải",
        ("IMG-LDCT", "WORKUP-RESP"),
        "TREAT-SURG",
        (("IMG-CXR", "Nốt mờ 12 mm thùy trên phổi phải"),),
    ),
    AbnormalFinding(
        "I67.2",
        "Nghi xơ vữa mạch não",
        ("IMG-MRB", "WORKUP-NEURO"),
        "TREAT-MED",
        (("VS-BP", "178/102"), ("BIO-CHOL", "7,40")),
    ),
)


def measured_value(random: Random, measure: SampleMeasure) -> str | int:
    """A usual value as a laboratory writes it: decimal comma, its own number of digits."""
    if measure.words:
        return random.choice(measure.words)
    if measure.code == "VS-BP":
        upper = random.randint(104, 146)
        return f"{upper}/{min(upper - 30, random.randint(62, 92))}"
    value = random.uniform(measure.low, measure.high)
    if measure.digits == 0:
        return round(value)
    return f"{value:.{measure.digits}f}".replace(".", ",")
