"""Makes the two tables of `adapter/linkage`.

    PYTHONPATH=.:tests .venv/bin/python benchmarks/support/linkage_weights.py

`weights.csv`: what is found between spoilt descriptions and their own people (`matches`), and between them
and other people (`others`), counted over people who were drawn and spoilt as in `tests/linkage_people.py`,
with seeds that no test and no benchmark uses.

`name_tokens.csv`: family names from the shares of Lê Trung Hoa, "Họ và tên người Việt Nam" (2005), as the
article "Vietnamese name" of the English Wikipedia has them, of 10,000 people (two that share one figure have
half of it each); given names from `first_names.tsv` of https://github.com/toanluu/vietname, which counted
some 115,000 names found on the web, without marks: those that 100 or more have.
"""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from linkage_people import Person, Said, people, spoilt

from adapter.linkage.birth_dates import DATE_LEVELS, compare_dates
from adapter.linkage.people import people_model
from adapter.linkage.vietnamese_names import name_readings
from adapter.linkage.weights import Finding, total_bits

FOLDER = Path(__file__).parents[2] / "adapter" / "linkage"
SEEDS = range(9_001, 9_011)
PEOPLE, OTHERS = 2_000, 25  # a seed; other people whom each is compared with
ROUNDS = 3
TOKEN_LEVELS = ("same", "other-marks", "near", "initial", "missing", "other")
LEVELS = {
    "family": TOKEN_LEVELS,
    "middle": (*TOKEN_LEVELS, "more"),
    "middle-word": (*TOKEN_LEVELS, "more"),
    "given": TOKEN_LEVELS,
    "order": ("same", "turned"),
    "birth-date": DATE_LEVELS,
    "sex": ("same", "other"),
}
BY_TOKEN = {("family", "same"), ("middle", "same"), ("given", "same")}
_GOOD = {"same": 4, "other-marks": 3, "near": 2, "initial": 1, "missing": 0, "more": -1, "other": -2}
FAMILY = {
    **{"nguyen": 3840, "tran": 1100, "le": 950, "pham": 710, "hoang": 255, "huynh": 255, "phan": 450},
    **{
        "vu": 195,
        "vo": 195,
        "dang": 210,
        "bui": 200,
        "do": 140,
        "ho": 130,
        "ngo": 130,
        "duong": 100,
        "ly": 50,
    },
}

GIVEN = """
    anh 3945, linh 2541, phuong 2050, thanh 1884, nhi 1431, trang 1422, hung 1399, dung 1372, minh 1351,
    thuy 1348, huy 1306, ngoc 1224, vy 1217, tien 1209, thao 1203, thu 1175, an 1174, ha 1123, huong
    1105, nguyen 1059, hoa 1040, ngan 1032, hieu 1023, duy 1005, van 1004, khanh 1002, my 983, tuan 981,
    hien 965, nam 942, duc 939, uyen 918, tu 902, son 894, hoang 876, quynh 863, dat 853, long 838,
    duong 837, giang 836, phuc 812, cuong 811, hai 804, nhu 803, trinh 785, tam 756, huyen 737, nhan
    733, thang 715, trung 713, quyen 710, yen 707, lam 704, quang 702, tuyen 694, binh 692, mai 688, chi
    686, tram 684, phong 675, hao 672, quan 663, vinh 659, hang 656, nie 656, ly 653, bao 643, toan 635,
    vu 605, truong 603, duyen 601, thien 598, nga 592, hanh 577, chau 571, khoa 559, han 549, nghia 549,
    truc 547, tung 539, lan 538, tran 535, sang 532, tai 529, thinh 520, vi 518, thuan 516, nhung 513,
    khang 503, tan 499, thuong 493, hong 480, loc 469, phat 446, loan 442, phu 422, hau 417, oanh 412,
    viet 409, thai 408, hiep 387, nhat 383, tri 381, hue 378, thi 370, kien 341, thong 336, xuan 327,
    khoi 318, quy 317, phuoc 316, dang 308, dao 304, lien 302, dinh 299, tho 296, dong 293, phung 292,
    le 291, manh 287, luan 285, chinh 284, tinh 277, diep 275, chien 274, vuong 273, nghi 272, thy 269,
    nguyet 267, luong 260, tuyet 257, cong 250, khai 249, kiet 248, mlo 248, dai 245, eban 244, hoan
    242, diem 240, loi 238, quoc 230, tuong 225, trong 223, phi 221, huynh 217, dan 217, hoai 210, man
    209, tin 205, chung 192, kim 192, bya 191, tra 189, ninh 189, kieu 183, danh 182, y 181, doan 173,
    dieu 171, huan 169, trieu 168, kha 168, tham 167, bang 167, dien 160, du 158, ky 155, chuong 154,
    ayun 153, bach 152, thuc 151, khuong 150, nha 139, bich 132, suong 125, khiem 125, cuc 122, thoa
    122, do 120, qui 119, luc 117, mi 116, quyet 114, sinh 113, xuyen 112, nhut 111, canh 111, lieu 110,
    bac 103, luyen 103, thach 102, cam 102
"""
ALL_GIVEN = 115_000


def main() -> None:
    """Write both."""
    write_tokens()
    write_weights()


def write_tokens() -> None:
    """The published frequencies."""
    given = [(token, int(number)) for token, number in (one.split() for one in GIVEN.split(","))]
    rest = ALL_GIVEN - sum(number for _, number in given)
    rows: list[tuple[object, ...]] = [("family", *one) for one in FAMILY.items()]
    rows += [("family", "*", 10_000 - sum(FAMILY.values()))]
    rows += [*(("given", *one) for one in given), ("given", "*", rest)]
    write("name_tokens.csv", ("part", "token", "count"), rows)


def write_weights() -> None:
    """The counts. Which reading of a name is the likeliest depends on the weights: so first that with most
    agreement is counted, and then, with the weights of that, the likeliest.
    """
    likeliest = agreement
    for _ in range(ROUNDS):
        matches, others = counted(likeliest)
        rows = [
            (
                part,
                level,
                "yes" if (part, level) in BY_TOKEN else "no",
                matches[part, level],
                others[part, level],
            )
            for part, levels in LEVELS.items()
            for level in levels
        ]
        write("weights.csv", ("part", "level", "by_token", "matches", "others"), rows)
        people_model.cache_clear()
        likeliest = bits


def counted(
    likeliest: Callable[[list[Finding]], float],
) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """How often each level is met in pairs of one person, and of two."""
    matches: Counter[tuple[str, str]] = Counter()
    others: Counter[tuple[str, str]] = Counter()
    for seed in SEEDS:
        random = Random(f"{seed}/weights")  # noqa: S311 - the same counts each time
        everybody = people(seed, PEOPLE)
        for one in everybody:
            said = (
                spoilt(random, one)
                if random.random() < 0.7
                else Said(one.name, one.born.isoformat(), one.sex)
            )
            count(matches, said, one, likeliest)
            for other in random.sample(everybody, OTHERS):
                if other is not one:
                    count(others, said, other, likeliest)
    return matches, others


def count(
    counts: Counter[tuple[str, str]], said: Said, one: Person, likeliest: Callable[[list[Finding]], float]
) -> None:
    """What is found between a description and a person."""
    readings = [list(reading) for reading in name_readings(said.name, one.name)]
    found = max(readings, key=likeliest)
    if level := compare_dates(said.birth_date, one.born.isoformat()):
        found.append(Finding("birth-date", level))
    if said.sex:
        found.append(Finding("sex", "same" if said.sex == one.sex else "other"))
    counts.update((finding.part, finding.level) for finding in found)


def agreement(reading: list[Finding]) -> float:
    """How far a reading agrees; in doubt the order of the record."""
    return sum(-0.5 * (one.level == "turned") if one.part == "order" else _GOOD[one.level] for one in reading)


def bits(reading: list[Finding]) -> float:
    """What a reading weighs by the table as it is."""
    return total_bits(map(people_model().weights.point, reading))


def write(name: str, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """A table of the package."""
    with (FOLDER / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main()
