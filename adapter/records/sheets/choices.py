"""Lists of choices: what a cell may say in Vietnamese or English, and the code it means."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache

from adapter.records.sheets.cell_parsers import CellError, CellValue, cell_text, parse_list
from adapter.text_folding import unify_letters
from adapter.texts import current_language
from adapter.written_values import flag_of

__all__ = ["CHOICE_LISTS", "ChoiceList", "fold_label", "parse_class", "parse_flag"]


@lru_cache(maxsize=5_000)
def fold_label(text: str) -> str:
    """Letters and digits only, without case and diacritics: "Ngày sinh (*)" is "ngaysinh"."""
    plain_text = unicodedata.normalize("NFD", unify_letters(text).casefold()).replace("đ", "d")
    return "".join(letter for letter in plain_text if letter.isascii() and letter.isalnum())


_DOUBT = re.compile(r"[?+<>=≤≥±~%]|^-\d")
_NUMERAL = re.compile(r"\b(?:[ivx]+|\d+)\b", re.IGNORECASE)


def _says_more(written: str) -> bool:
    """Whether the marks that a label leaves out say something: "II?", "2+", and "I-II", which is not III."""
    return bool(_DOUBT.search(written)) or len(_NUMERAL.findall(written)) > 1


@dataclass(frozen=True)
class ChoiceList:
    """One list. `options` maps a code to its words, Vietnamese first, English second, then aliases."""

    name: str
    options: tuple[tuple[str, tuple[str, ...]], ...]

    @cached_property
    def _codes(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for code, words in self.options:
            for word in (code, *words):
                found.setdefault(fold_label(word), code)
        return found

    def labels(self, language: str) -> list[str]:
        """The words to choose from, in a language."""
        return [words[0 if language == "vi" else 1] for _, words in self.options]

    def label(self, code: str, language: str) -> str:
        """The words of a code."""
        return dict(zip(self.codes, self.labels(language), strict=True))[code]

    @property
    def codes(self) -> list[str]:
        """The codes in the list's order."""
        return [code for code, _ in self.options]

    def parse(self, value: CellValue) -> str:
        """The code of a cell. Raises CellError that lists the choices."""
        written = cell_text(value)
        code = self._codes.get(fold_label(written))
        if code is None or _says_more(written):
            raise CellError("expect_choice", choices=self.written)
        return code

    def parse_several(self, value: CellValue) -> tuple[str, ...]:
        """The codes of a cell that holds several, joined with ";"."""
        return tuple(dict.fromkeys(self.parse(part) for part in parse_list(value)))

    @property
    def written(self) -> str:
        """All choices in the language in use, for a message."""
        return ", ".join(self.labels(current_language()))


def _choice(name: str, **options: tuple[str, ...]) -> ChoiceList:
    return ChoiceList(name, tuple((code.replace("_", "-"), words) for code, words in options.items()))


# Another scale of classes: never converted into I to V.
_CADRE_CLASSES = ("A", "B", "B1", "B2", "C", "D")


def _classes(sign: str) -> tuple[str, ...]:
    """How clerks write a class of either scale."""
    before = ("Loại", "Sức khỏe loại", "SK loại", "Xếp loại", "Loại sức khỏe", "Phân loại", "Hạng", "Nhóm")
    return tuple(f"{word} {sign}" for word in before)


CHOICE_LISTS = {
    choice.name: choice
    for choice in (
        _choice(
            "sex",
            male=("Nam", "Male", "1", "M"),
            female=("Nữ", "Female", "2", "F"),
            unknown=("Không rõ", "Unknown", "3"),
        ),
        _choice("tier", **{f"T{n}": (f"T{n}", f"T{n}", f"Diện T{n}", str(n)) for n in range(1, 6)}),
        _choice(
            "visit_type",
            checkup=(
                "Khám định kỳ",
                "Periodic check-up",
                "Khám sức khỏe định kỳ",
                "check-up",
                "KSK",
                "KSK định kỳ",
                "Khám sức khỏe",
                "Định kỳ",
            ),
            congress=("Khám trước đại hội", "Before a congress"),
            outpatient=("Khám ngoại trú", "Outpatient", "Ngoại trú"),
            home=("Khám tại nhà", "Home visit", "Thăm khám tại nhà", "Tại nhà", "Thăm tại nhà"),
            trip=(
                "Đưa đi tuyến trên",
                "Escorted trip",
                "Đưa đi tuyến trung ương",
                "Chuyến đi",
                "Đưa đi khám tuyến trên",
            ),
            council=("Hội chẩn", "Council", "Hội đồng tư vấn"),
        ),
        _choice(
            "advice",
            normal=("Bình thường", "Normal"),
            follow_up=("Theo dõi", "Follow up"),
            **{"continue": ("Tiếp tục điều trị", "Continue treatment")},
            refer=("Chuyển khám", "Refer", "Chuyển khám chuyên khoa"),
            other=("Khác", "Other"),
        ),
        _choice(
            "health_class",
            **{
                roman: (f"Loại {roman}", f"Class {roman}", digit, *_classes(roman), *_classes(digit))
                for roman, digit in zip(("I", "II", "III", "IV", "V"), "12345", strict=True)
            },
        ),
        _choice("cadre_class", **{code: (code, code, *_classes(code)) for code in _CADRE_CLASSES}),
        _choice(
            "flag",
            H=("Cao", "High"),
            L=("Thấp", "Low"),
            HH=("Rất cao", "Critically high", "Cao nguy hiểm", "Critical high"),
            LL=("Rất thấp", "Critically low", "Thấp nguy hiểm", "Critical low"),
            A=("Bất thường", "Abnormal"),
            N=("Bình thường", "Normal"),
        ),
        _choice(
            "measurement_status",
            final=("Chính thức", "Final"),
            preliminary=("Sơ bộ", "Preliminary"),
            corrected=("Đã sửa", "Corrected"),
            entered_in_error=("Nhập nhầm", "Entered in error"),
        ),
        _choice(
            "certainty",
            provisional=("Sơ bộ", "Provisional"),
            confirmed=("Xác định", "Confirmed"),
        ),
        _choice(
            "category",
            workup=("Khám thêm", "Work-up", "Khám chuyên khoa"),
            treatment=("Điều trị", "Treatment"),
            consultation=("Hội chẩn", "Consultation"),
        ),
        _choice(
            "priority",
            routine=("Thường", "Routine"),
            urgent=("Khẩn", "Urgent"),
            asap=("Càng sớm càng tốt", "As soon as possible"),
            stat=("Cấp cứu", "Immediately"),
        ),
        _choice(
            "referral_status",
            active=("Đang hiệu lực", "Active"),
            on_hold=("Tạm dừng", "On hold"),
            revoked=("Đã hủy", "Revoked"),
            entered_in_error=("Nhập nhầm", "Entered in error"),
        ),
        _choice(
            "procedure_status",
            completed=("Đã thực hiện", "Completed", "Hoàn thành"),
            in_progress=("Đang thực hiện", "In progress"),
            not_done=("Không thực hiện", "Not done"),
            entered_in_error=("Nhập nhầm", "Entered in error"),
        ),
        _choice(
            "immunization_status",
            completed=("Đã tiêm", "Given", "Hoàn thành", "Completed"),
            entered_in_error=("Nhập nhầm", "Entered in error"),
            not_done=("Không tiêm", "Not given", "Hoãn tiêm"),
        ),
        _choice(
            "consent",
            hiv=("HIV", "HIV"),
            mental=("Tâm thần", "Mental health"),
            reproductive=("Sinh sản", "Reproductive health"),
        ),
        _choice("yes_no", yes=("Có", "Yes"), no=("Không", "No")),
    )
}  # fmt: skip


def parse_flag(value: CellValue) -> str:
    """A flag as a word or as an analyser's sign, such as `↑` or `*`."""
    return flag_of(cell_text(value)) or CHOICE_LISTS["flag"].parse(value)


def parse_class(name: str, value: CellValue) -> str:
    """A class of the scale `name`. Raises CellError; of a class of the other scale it says where it goes."""
    try:
        return CHOICE_LISTS[name].parse(value)
    except CellError as error:
        other = "cadre_class" if name == "health_class" else "health_class"
        try:
            CHOICE_LISTS[other].parse(value)
        except CellError:
            raise error from None
        raise CellError(f"expect_{name}", choices=CHOICE_LISTS[name].written) from None
