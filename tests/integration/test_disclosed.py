"""What two hospitals really get, over HTTP, of people of every tier whose every free text holds a secret."""

import csv
import io
import json
import logging
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import plainly
import pytest
import yaml
from sample import open_to_pseudonyms
from sqlalchemy import select, text

from adapter.database import open_database, read_transaction
from adapter.fhir.validation.checker import check_resource
from adapter.insights.explain_record import explain_record
from adapter.ledger.schema import tables
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.sync import sync as run_sync
from adapter.records.importing import importer
from adapter.records.model import Referral
from adapter.records.referral_answers import asked_to_cancel
from adapter.referrals.lifecycle import ReferralEvent
from adapter.referrals.sayings import ReferralSaying
from adapter.sandbox.app import SandboxHospital
from adapter.settings import CentreSettings, HospitalSettings, Settings
from adapter.testing import CAPABLE_SERVER, serving

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PROVINCIAL, CENTRAL = "bv-tinh", "bv-trung-uong"
Rows = dict[str, list[dict[str, str]]]
Resource = dict[str, Any]

# (tier, name, position): the given names are no words of the texts below.
PEOPLE = {
    "P0": ("T0", "Lương Khắc Tuyển", "Ủy viên Bộ Chính trị"),
    "P1": ("T1", "Triệu Hoàng Vĩnh", "Thứ trưởng Bộ Nội vụ"),
    "P2": ("T2", "Đặng Quốc Khoát", "Giám đốc Sở Xây dựng"),
    "P3": ("T3", "Vi Thị Nhàn", "Tỉnh ủy viên"),
    "P4": ("T4", "Hứa Bá Thước", "Nguyên Chủ tịch UBND huyện"),
    "P5": ("T5", "Mạc Thị Uyên", "Thương binh 1/4"),
}
SENTENCE = "Bệnh nhân kể chuyện gia đình"  # no secret phrase in it: only the form of disclosure keeps it


def person(key: str) -> dict[str, str]:
    tier, name, position = PEOPLE[key]
    return {
        "Mã cán bộ": key,
        "Họ và tên": name,
        "Giới tính": "Nam",
        "Ngày sinh": "23/10/1964",
        "Diện quản lý": tier,
        "Chức vụ": position,
        "Điện thoại": f"091234567{key[1]}",
        "Địa chỉ": f"Số {key[1]}7 Trần Phú, gần Bệnh viện Tâm thần",
    }


def secrets(key: str) -> tuple[str, ...]:
    """Texts of which each alone forbids that what holds it leaves."""
    _, name, position = PEOPLE[key]
    return (
        f"{SENTENCE}: {name}",
        f"nguyên {position}",
        "Sức khỏe loại B1",
        "cán bộ diện Tỉnh ủy quản lý",
        "xét nghiệm HIV dương tính",
        f"gọi 0912 345 67{key[1]}",
    )


def care(key: str, number: int, words: str) -> Rows:
    """One check-up with one record of every sheet, `words` in each of their free texts."""
    own, visit = f"{key}.{number}", f"{key}.K{number}"
    common = {"Mã cán bộ": key, "Mã lượt khám": visit}
    return {
        "Lượt khám": [
            {
                **common,
                "Loại": "Khám định kỳ",
                "Bắt đầu": f"0{number + 1}/10/2026 08:00",
                "Kết thúc": f"0{number + 1}/10/2026 11:00",
                "Lý do": words,
                "Kết luận": words,
                "Phân loại sức khỏe": "Loại II",
                "Phân loại cán bộ": "B1",
            }
        ],
        "Chỉ số": [
            {**common, "Mã": f"{own}.a", "Mã chỉ số": "BIO-GLU", "Giá trị": "5,3", "Đơn vị": "mmol/L"},
            {**common, "Mã": f"{own}.b", "Mã chỉ số": "EX-CIRC", "Giá trị": words},
            {**common, "Mã": f"{own}.c", "Mã chỉ số": "BIO-URE", "Giá trị": "5", "Đơn vị": words},
            {**common, "Mã": f"{own}.d", "Mã chỉ số": "BIO-CREA", "Tên chỉ số": words, "Giá trị": "80"},
        ],
        "Chẩn đoán": [{**common, "Mã chẩn đoán": f"{own}.d", "ICD-10": "I10", "Diễn giải": words}],
        "Thủ thuật": [
            {
                **common,
                "Mã thủ thuật": f"{own}.t",
                "Thủ thuật": "PR-DRESS",
                "Tên thủ thuật": words,
                "Bắt đầu": "08/10/2026 08:20",
                "Vị trí": words,
                "Kết quả": words,
            }
        ],
        "Tiêm chủng": [
            {
                **common,
                "Mã mũi tiêm": f"{own}.x",
                "Vắc xin": "VX-FLU",
                "Tên vắc xin": words,
                "Ngày tiêm": "02/10/2026",
                "Số lô": words,
                "Mũi số": "1",
                "Đợt tiêm": words,
                "Vị trí tiêm": words,
            }
        ],
        "Chuyển khám": [
            {
                **common,
                "Mã phiếu": f"{own}.p",
                "Bệnh viện": PROVINCIAL,
                "Loại yêu cầu": "Khám thêm",
                "Dịch vụ": "WORKUP-CARD",
                "Lý do": words,
                "Ngày chỉ định": "09/10/2026 08:15",
            }
        ],
    }


def joined(*parts: Rows) -> Rows:
    found: Rows = {}
    for part in parts:
        for sheet, rows in part.items():
            found.setdefault(sheet, []).extend(rows)
    return found


class Site:
    """A centre with a policy that may be edited, and two hospitals over real HTTP."""

    def __init__(self, folder: Path, url: str, bases: dict[str, str]) -> None:
        self.folder, self.bases = folder, bases
        self.mappings = folder / "mappings"
        shutil.copytree("mappings", self.mappings)
        (folder / "identity.key").write_text("0123456789abcdef0123456789abcdef")
        levels = {PROVINCIAL: "provincial", CENTRAL: "central"}
        self.settings = Settings(
            identity_key=f"file:{folder / 'identity.key'}",
            database_url=url,
            mappings=self.mappings,
            centre=CentreSettings(facility_code="24999"),
            hospitals={
                name: HospitalSettings(name=name, display=name, level=level, base_url=f"{bases[name]}/fhir")
                for name, level in levels.items()
            },
        )
        self.engine = open_database(url)

    def adapter(self) -> Adapter:
        return Adapter(self.settings, self.engine)

    def hold(self, rows: Rows) -> None:
        """Import these rows and no others."""
        folder = self.folder / "csv"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for sheet, listed in rows.items():
            headers = list(dict.fromkeys(name for row in listed for name in row))
            out = io.StringIO()
            writer = csv.DictWriter(out, headers, delimiter=";")
            writer.writeheader()
            writer.writerows(listed)
            (folder / f"{sheet}.csv").write_text(out.getvalue(), "utf-8")
        known = frozenset(self.settings.hospitals)
        files = sorted(folder.iterdir())
        importer.run_import(self.engine, files, max_deletions_percent=100, known_hospitals=known, now=NOW)

    def edit(self, old: str, new: str) -> None:
        path = self.mappings / "disclosure.yaml"
        before = path.read_text("utf-8")
        assert before.count(old) == 1
        path.write_text(before.replace(old, new), "utf-8")

    def sync(self) -> None:
        adapter = self.adapter()
        for name in (PROVINCIAL, CENTRAL):
            adapter.cards.put(name, CAPABLE_SERVER, datetime.now(UTC))
        done = run_sync(
            adapter,
            [PROVINCIAL, CENTRAL],
            lambda: datetime.now(UTC),
            lambda *_: None,
        )
        assert done.exit_code == 0, done

    def holds(self, name: str) -> list[Resource]:
        """All that a hospital's server has."""
        found = []
        for type_ in TYPES:
            bundle = plainly.get(f"{self.bases[name]}/fhir/{type_}", params={"_count": "1000"}).json()
            found += [entry["resource"] for entry in bundle.get("entry", ())]
        return found

    def types(self, name: str) -> Counter[str]:
        return Counter(one["resourceType"] for one in self.holds(name))

    def told(self) -> str:
        """All that is written down about sending: the ledger, the audit."""
        with read_transaction(self.engine) as connection:
            rows = [tuple(row) for row in connection.execute(select(tables.entry))]
            rows += [tuple(row) for row in connection.execute(text("SELECT * FROM audit"))]
        parts = (
            one.decode() if isinstance(one, bytes) else str(one)
            for row in rows
            for one in row
            if one is not None
        )
        return "\n".join(parts)


TYPES = (
    "Patient",
    "Encounter",
    "Observation",
    "Condition",
    "Procedure",
    "Immunization",
    "Specimen",
    "DiagnosticReport",
    "ServiceRequest",
    "Task",
    "Organization",
    "Location",
    "Provenance",
    "CarePlan",
)


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    stores = {name: open_database(f"sqlite:///{tmp_path / f'{name}.db'}") for name in (PROVINCIAL, CENTRAL)}
    sandboxes = {name: SandboxHospital(store, name) for name, store in stores.items()}
    with serving(sandboxes[PROVINCIAL].app) as one, serving(sandboxes[CENTRAL].app) as other:
        yield Site(tmp_path, sqlite_url, {PROVINCIAL: one, CENTRAL: other})
    for store in stores.values():
        store.dispose()


def words_of(resources: list[Resource]) -> str:
    return json.dumps(resources, ensure_ascii=False)


def labels(resource: Resource) -> set[str]:
    """Its confidentiality; the centre itself is no secret and carries none."""
    return {one["code"] for one in resource["meta"].get("security", [{"code": "N"}])}


def coded(resources: list[Resource], type_: str, code: str) -> list[Resource]:
    return [
        one
        for one in resources
        if one["resourceType"] == type_ and any(c.get("code") == code for c in one["code"].get("coding", ()))
    ]


def test_no_secret_in_any_free_text_of_any_tier_leaves(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    cares = [care(key, n, said) for key in PEOPLE for n, said in enumerate(secrets(key))]
    site.hold(joined({"Cán bộ": [person(key) for key in PEOPLE]}, *cares))
    site.sync()
    sent = words_of(site.holds(PROVINCIAL)) + words_of(site.holds(CENTRAL))
    sent, told = sent.casefold(), site.told().casefold()
    for key, (tier, name, position) in PEOPLE.items():
        never = [position, "loại B1", "Tỉnh ủy quản lý", "HIV", f"{key}.K"]
        if tier not in ("T4", "T5"):
            never += [name, f"Số {key[1]}7 Trần Phú", f"345 67{key[1]}", f"091234567{key[1]}"]
        for one in (folded.casefold() for folded in never):
            assert one not in sent, (key, one)
            assert one not in caplog.text.casefold(), (key, one)
        for one in (name, position, "loại B1", "nhân kể"):
            assert tier in ("T4", "T5") or one.casefold() not in told, (key, one)
    assert site.types(PROVINCIAL)["Patient"] == 4


def test_harmless_words_of_people_by_name_go_and_of_pseudonyms_only_codes(site: Site) -> None:
    open_to_pseudonyms(site.mappings)
    lot = care("P2", 1, SENTENCE)
    lot["Tiêm chủng"][0]["Số lô"] = "FLU26A07"
    site.hold(
        joined({"Cán bộ": [person("P2"), person("P5")]}, lot, care("P5", 1, SENTENCE)),
    )
    site.sync()
    found = site.holds(PROVINCIAL)
    subjects = {one["id"]: one["name"][0].get("family") for one in found if one["resourceType"] == "Patient"}

    def of(family: str | None) -> list[Resource]:
        return [
            one
            for one in found
            for who in [one.get("subject") or one.get("patient") or one.get("for")]
            if who and subjects[who["reference"].split("/")[-1]] == family
        ]

    assert words_of(of("Mạc")).count(SENTENCE) >= 14
    assert SENTENCE not in words_of(of(None))
    hidden = Counter(one["resourceType"] for one in of(None))
    by_name = Counter(one["resourceType"] for one in of("Mạc"))
    assert by_name - hidden == {"DiagnosticReport": 1}  # the conclusion, which is words alone
    assert "FLU26A07" in words_of(of(None))
    assert [one for resource in found for one in check_resource(resource) if one.is_error] == []
    masked = [one for one in of(None) if "dataAbsentReason" in one]
    assert len(masked) == 2  # a finding, and a value whose unit was a sentence
    assert all(labels(one) == {"N"} for one in found)


def test_an_opened_class_appears_labelled_and_is_retracted_when_it_is_closed(site: Site) -> None:
    site.hold(joined({"Cán bộ": [person("P4"), person("P2")]}, care("P4", 1, "ổn"), care("P2", 1, "ổn")))
    site.sync()
    before, central = site.types(PROVINCIAL), site.types(CENTRAL)
    site.edit("open: [centre]", "open: [centre, health-class]")
    site.sync()
    opened = site.holds(PROVINCIAL)
    assert site.types(PROVINCIAL) - before == {"Observation": 4}
    classes = coded(opened, "Observation", "CLS-TT14") + coded(opened, "Observation", "CLS-CADRE")
    assert len(classes) == 4
    for one in classes:
        assert labels(one) == {"R"}
        assert [issue for issue in check_resource(one) if issue.is_error] == []
    others = [one for one in opened if one not in classes]
    assert all(labels(one) == {"N"} for one in others)
    assert site.types(CENTRAL) == central
    site.edit("open: [centre, health-class]", "open: [centre]")
    site.sync()
    assert site.types(PROVINCIAL) == before


def test_words_of_a_class_go_where_it_is_opened_with_their_label(site: Site) -> None:
    site.hold(joined({"Cán bộ": [person("P5")]}, care("P5", 1, "Sức khỏe loại B1")))
    site.edit("open: [centre]", "open: [centre, health-class]")
    site.sync()
    said = [one for one in site.holds(PROVINCIAL) if "loại B1" in words_of([one])]
    assert len(said) >= 6
    assert all(labels(one) == {"R"} for one in said)


@pytest.mark.parametrize("opened", ["open: [centre]", "open: [centre, origin]"])
def test_nothing_goes_about_somebody_whose_patient_is_withheld(site: Site, opened: str) -> None:
    """Not even where something else is made of the person's record, such as its Provenance."""
    told = person("P4") | {"Địa chỉ": "Nhà riêng Bí thư Tỉnh ủy"}
    if opened != "open: [centre]":
        site.edit("open: [centre]", opened)
    site.hold(joined({"Cán bộ": [told]}, care("P4", 1, "ổn")))
    site.sync()
    assert set(site.types(PROVINCIAL)) == {"Organization", "Location"}


def test_a_person_goes_though_something_else_made_of_the_record_is_withheld(site: Site) -> None:
    flag = """resource: Flag
from: cadre
body:
  status: active
  code: {text: "Tỉnh ủy viên"}
  subject: "{{ m.cadre | reference('Patient') }}"
"""
    (site.mappings / "flag.yaml").write_text(flag, "utf-8")
    site.hold(joined({"Cán bộ": [person("P4")]}, care("P4", 1, "ổn")))
    site.sync()
    assert site.types(PROVINCIAL)["Patient"] == 1
    assert plainly.get(f"{site.bases[PROVINCIAL]}/fhir/Flag").json().get("entry", []) == []


def test_the_origin_goes_only_where_it_is_opened_and_names_no_file(site: Site) -> None:
    site.hold(joined({"Cán bộ": [person("P4")]}, care("P4", 1, "ổn")))
    site.sync()
    before = site.types(PROVINCIAL)
    assert "Provenance" not in before
    site.edit("open: [centre]", "open: [centre, origin]")
    site.sync()
    told = [one for one in site.holds(PROVINCIAL) if one["resourceType"] == "Provenance"]
    assert site.types(PROVINCIAL) - before == {"Provenance": len(told)}
    targets = [target["reference"].split("/")[0] for one in told for target in one["target"]]
    own = Counter(targets) - Counter({type_: before[type_] for type_ in before if type_ in targets})
    assert not own, "each is told of once"
    assert set(before) - {"Organization", "Location"} <= set(targets)
    assert "csv" not in words_of(told)
    assert str(site.folder) not in words_of(told)
    assert "Provenance" not in site.types(CENTRAL)
    site.edit("open: [centre, origin]", "open: [centre]")
    site.sync()
    assert site.types(PROVINCIAL) == before


def test_the_centre_goes_only_where_it_is_opened(site: Site) -> None:
    site.hold(joined({"Cán bộ": [person("P4")]}, care("P4", 1, "ổn")))
    site.sync()
    before = site.types(PROVINCIAL)
    assert (before["Organization"], before["Location"]) == (1, 1)
    assert site.types(CENTRAL) == {}
    site.edit("open: [centre]", "open: []")
    site.sync()
    assert before - site.types(PROVINCIAL) == {"Organization": 1, "Location": 1}


def test_a_referral_brings_its_visit_and_nothing_else_until_it_is_withdrawn(site: Site) -> None:
    rows = joined({"Cán bộ": [person("P4")]}, care("P4", 1, "ổn"), care("P4", 2, "ổn"))
    rows["Chuyển khám"] = [{**rows["Chuyển khám"][0], "Bệnh viện": CENTRAL}]
    site.hold(rows)
    site.sync()
    assert site.types(CENTRAL) == {
        "Patient": 1,
        "Encounter": 1,
        "Observation": 4,
        "Condition": 1,
        "DiagnosticReport": 2,
        "ServiceRequest": 1,
        "Task": 1,
    }
    rows["Chuyển khám"][0]["Trạng thái"] = "Đã hủy"
    site.hold(rows)
    site.sync()
    assert site.types(CENTRAL) == {"Patient": 1, "ServiceRequest": 1, "Task": 1}
    standing = {one["resourceType"]: one.get("status") for one in site.holds(CENTRAL)}
    assert (standing["ServiceRequest"], standing["Task"]) == ("revoked", "cancelled")


def consenting(key: str, words: str) -> dict[str, str]:
    return {**person(key), "Đồng ý chia sẻ": words}


def test_what_points_at_something_restricted_is_restricted_too(site: Site) -> None:
    rows = care("P4", 1, "ổn")
    common = {"Mã cán bộ": "P4", "Mã lượt khám": "P4.K1"}
    rows["Chỉ số"].append({**common, "Mã": "P4.h", "Mã chỉ số": "SER-HIV", "Giá trị": "Âm tính"})
    rows["Chuyển khám"][0]["Chỉ số kèm theo"] = "SER-HIV"
    site.hold(joined({"Cán bộ": [consenting("P4", "HIV")]}, rows))
    site.sync()
    restricted = Counter(one["resourceType"] for one in site.holds(PROVINCIAL) if labels(one) == {"R"})
    assert restricted == {"Observation": 1, "DiagnosticReport": 1, "ServiceRequest": 1, "Task": 1}
    site.hold(joined({"Cán bộ": [consenting("P4", "")]}, rows))  # consent withdrawn
    site.sync()
    left = site.holds(PROVINCIAL)
    assert all(labels(one) == {"N"} for one in left)
    assert coded(left, "Observation", "SER-HIV") == []
    assert site.types(PROVINCIAL)["Task"] == 1


@pytest.mark.parametrize("words", ["theo dõi B24", "nhiễm HIV", "điều trị ARV"])
def test_no_task_tells_of_a_referral_that_stays_here(site: Site, words: str) -> None:
    rows = care("P4", 1, "ổn")
    rows["Chuyển khám"][0]["Lý do"] = words
    site.hold(joined({"Cán bộ": [person("P4")]}, rows))
    site.sync()
    found = site.types(PROVINCIAL)
    assert (found["ServiceRequest"], found["Task"]) == (0, 0)
    assert found["Encounter"] == 1


def test_a_code_whose_display_alone_is_sensitive_needs_consent(site: Site) -> None:
    with (site.mappings / "codes" / "procedures.csv").open("a", encoding="utf-8") as table:
        table.write("PR-0815,Xét nghiệm nhanh HIV,,,,,,,,\n")
    rows = care("P4", 1, "ổn")
    rows["Thủ thuật"][0] |= {"Thủ thuật": "PR-0815", "Tên thủ thuật": ""}
    site.hold(joined({"Cán bộ": [person("P4")]}, rows))
    site.sync()
    assert site.types(PROVINCIAL)["Procedure"] == 0
    site.hold(joined({"Cán bộ": [consenting("P4", "HIV")]}, rows))
    site.sync()
    procedures = [one for one in site.holds(PROVINCIAL) if one["resourceType"] == "Procedure"]
    assert [labels(one) for one in procedures] == [{"R"}]


def test_a_person_who_moves_to_a_stricter_tier_is_reduced_and_then_gone(site: Site) -> None:
    care_of = care("P4", 1, SENTENCE)
    site.hold(joined({"Cán bộ": [person("P4")]}, care_of))
    site.sync()
    site.hold(joined({"Cán bộ": [{**person("P4"), "Diện quản lý": "T2"}]}, care_of))
    site.sync()
    reduced = words_of(site.holds(PROVINCIAL))
    for one in ("Thước", SENTENCE, "0912345674", "Trần Phú", "1964-10"):
        assert one not in reduced
    assert site.types(PROVINCIAL)["Condition"] == 1
    site.hold(joined({"Cán bộ": [{**person("P4"), "Diện quản lý": "T1"}]}, care_of))
    site.sync()
    assert site.types(PROVINCIAL) == {"Organization": 1, "Location": 1}


def sent_away(*, reason: str = "đau ngực") -> Rows:
    """Somebody with a check-up, and a referral to the central hospital."""
    rows = joined({"Cán bộ": [person("P4")]}, care("P4", 1, "ổn"))
    rows["Chuyển khám"] = [{**rows["Chuyển khám"][0], "Bệnh viện": CENTRAL, "Lý do": reason}]
    return rows


@pytest.mark.parametrize("reason", ["xét nghiệm HIV", "nguyên Chủ tịch UBND huyện", "Sức khỏe loại B1"])
def test_what_only_a_referral_brought_is_taken_back_with_it(site: Site, reason: str) -> None:
    site.hold(sent_away())
    site.sync()
    assert site.types(CENTRAL)["Patient"] == 1
    assert site.types(CENTRAL)["Observation"] == 4
    site.hold(sent_away(reason=reason))
    site.sync()
    assert site.types(CENTRAL) == Counter()
    told = site.adapter()
    [why] = [
        one for found in explain_record(told, "P4") for one in found.hospitals if one.hospital == CENTRAL
    ]
    assert why.state == "retracted" or why.reason == "order-withheld"


@pytest.mark.parametrize("reason", ["xét nghiệm HIV", "đưa Bí thư Tỉnh ủy đi khám"])
def test_what_only_a_trip_brought_is_taken_back_with_it(site: Site, reason: str) -> None:
    def rows(reason: str) -> Rows:
        found = joined({"Cán bộ": [person("P4")]}, care("P4", 1, "ổn"))
        trip = {**found["Lượt khám"][0], "Loại": "Đưa đi tuyến trên", "Lý do": reason, "Bệnh viện": CENTRAL}
        return {"Cán bộ": found["Cán bộ"], "Lượt khám": [trip], "Chẩn đoán": found["Chẩn đoán"]}

    site.hold(rows(reason))
    site.sync()
    assert site.types(CENTRAL) == Counter()
    site.hold(rows("khám tim"))
    site.sync()
    assert site.types(CENTRAL)["Patient"] == 1
    site.hold(rows(reason))
    site.sync()
    assert site.types(CENTRAL) == Counter()


@pytest.mark.parametrize(
    ("said", "task"),
    [
        (ReferralEvent.ACCEPT, "accepted"),
        (ReferralEvent.INTERIM_NOTE, "in-progress"),
        (ReferralEvent.DECLINE, "rejected"),
    ],
)
def test_a_change_does_not_undo_what_the_hospital_said(site: Site, said: ReferralEvent, task: str) -> None:
    rows = joined({"Cán bộ": [person("P4")]}, care("P4", 1, "ổn"))
    site.hold(rows)
    site.sync()
    adapter = site.adapter()
    assert adapter.records.advance("P4.1.p", ReferralSaying((said,)), None, NOW)
    assert isinstance(adapter.records.get("referral", "P4.1.p"), Referral)
    site.sync()
    assert status_of(site, "Task") == "requested"  # no echo
    rows["Chuyển khám"][0]["Mức ưu tiên"] = "Khẩn"
    site.hold(rows)
    site.sync()
    assert (status_of(site, "Task"), status_of(site, "ServiceRequest")) == (task, "active")


@pytest.mark.parametrize("begun", [True, False])
def test_that_we_cancel_is_told(site: Site, begun: bool) -> None:
    """One that the hospital has not begun is cancelled in its own Task; from then on another Task asks."""
    rows = joined({"Cán bộ": [person("P4")]}, care("P4", 1, "ổn"))
    site.hold(rows)
    site.sync()
    adapter = site.adapter()
    if begun:
        assert adapter.records.advance("P4.1.p", ReferralSaying((ReferralEvent.SCHEDULE,)), None, NOW)
    adapter.records.amend_referral("P4.1.p", lambda one: asked_to_cancel(one, NOW))
    site.sync()
    tasks = {
        one["code"]["coding"][0]["code"]: one
        for one in site.holds(PROVINCIAL)
        if one["resourceType"] == "Task"
    }
    own = tasks["fulfill"]
    said = own["status"], own["businessStatus"]["coding"][0]["code"]
    assert said == (("in-progress", "5.2") if begun else ("cancelled", "6.0"))
    assert status_of(site, "ServiceRequest") == "revoked"
    assert ("abort" in tasks) is begun
    if begun:
        asking = tasks["abort"]
        assert asking["status"] == "requested"
        assert asking["focus"]["reference"].endswith(f"Task/{own['id']}")
    before = site.holds(PROVINCIAL)
    site.hold(rows)  # the same file again takes nothing of it back
    site.sync()
    assert site.holds(PROVINCIAL) == before


@pytest.mark.parametrize("way", ["cancelled", "revoked"])
def test_what_was_withdrawn_before_it_went_is_told_to_nobody(site: Site, way: str) -> None:
    """To be told of it the hospital would learn of the person."""
    rows = joined({"Cán bộ": [person("P4")]}, care("P4", 1, "ổn"))
    if way == "revoked":
        rows["Chuyển khám"][0]["Trạng thái"] = "Đã hủy"
    site.hold(rows)
    adapter = site.adapter()
    if way == "cancelled":
        adapter.records.amend_referral("P4.1.p", lambda one: asked_to_cancel(one, NOW))
    site.sync()
    before = {one["resourceType"] for one in site.holds(PROVINCIAL)}
    assert before.isdisjoint({"ServiceRequest", "Task"})
    [line] = [one for one in explain_record(adapter, "P4.1.p") if one.kind == "referral"]
    assert {one.state for one in line.hospitals if one.hospital == PROVINCIAL} <= {"withheld", "not-mapped"}


def status_of(site: Site, type_: str) -> str:
    [found] = [one for one in site.holds(PROVINCIAL) if one["resourceType"] == type_]
    return str(found["status"])


def test_what_is_looked_at_is_all_that_can_leave() -> None:
    files = [yaml.safe_load(file.read_text("utf-8")) for file in Path("mappings").glob("*.yaml")]
    assert {file["resource"] for file in files if "resource" in file} == set(TYPES)
