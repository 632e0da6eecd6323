"""Somebody becomes T0 later: nothing of this person stays in any table, file, log or output, in any order of
events, and what hospitals hold is still retracted.
"""

import base64
import logging
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import plainly
import pytest
from checkup_forms import document
from inbox_centre import receive_changes
from rich.console import Console
from sqlalchemy import Engine, inspect, select, text

from adapter.cli.commands import import_records as command
from adapter.database import open_database, read_transaction, write_transaction
from adapter.errors import FhirError, LeaseLost
from adapter.insights.problems import current_problems
from adapter.insights.withdrawals import waiting_withdrawals
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.ledger.hospitals.server import HaltReason
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryEvent
from adapter.ledger.schema.values import DeliveryOutcome
from adapter.operations.import_records import ImportRecords, ImportReport
from adapter.operations.merge import MergeCadres
from adapter.operations.operation import OperationContext
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.inbound.refusal import refuse_erased
from adapter.pipeline.outbound import planning
from adapter.pipeline.outbound.sync import sync as run_sync
from adapter.records.importing.identity_checks import AllowedChanges
from adapter.records.model import Result
from adapter.records.tables import erased_name
from adapter.repository.repository import Repository
from adapter.repository.write_plan import VersionChange
from adapter.sandbox.app import SandboxHospital
from adapter.settings import HospitalSettings, Settings
from adapter.testing import CAPABLE_SERVER, serving

HOSPITAL = "bv-tinh"
NAME, KEY, PHONE, CITIZEN, CARD = "Mạch Thị Bí Ẩn", "CB-0040", "0912345678", "001150012345", "GD4010123456789"
TITLES = {
    "cadres": "Key;Name;Sex;Date of birth;Tier;Position;Citizen id;Insurance number;Phone;Address",
    "visits": "Key;Cadre key;Type;Started at;Reason;Conclusion",
    "measurements": "Visit key;Measure;Value;Unit;Measure name",
    "referrals": "Key;Cadre key;Hospital;Service;Ordered at;Reason",
}
# None of these turns up by chance in a time or in random bytes: no second is 73.77, and no key is short.
TELLING = (
    *(NAME, "Mach Thi Bi An", "MACH", KEY, "CB 0040", PHONE, "912345678", "912 345 678", CITIZEN, CARD),
    *(
        "VISIT-40",
        "REFERRAL-40",
        "khó ngủ vì việc riêng",
        "kết luận riêng tư",
        "73.77",
        "Trần Phú ngõ 7",
        "1950-09-02",
    ),
)


def person(tier: str, key: str = KEY) -> str:
    return f"{key};{NAME};Nữ;02/09/1950;{tier};Chuyên viên;{CITIZEN};{CARD};{PHONE};Trần Phú ngõ 7"


OTHERS = [f"CB-{number:04};Lê Văn {name};Nam;05/03/1960;T4;;;;;" for number, name in enumerate("ABCDEFG", 1)]
VISITS = ["V1;CB-0001;Khám định kỳ;202610150730;ổn;ổn"]
OWN_VISIT = f"VISIT-40;{KEY};Khám định kỳ;202610150730;khó ngủ vì việc riêng;kết luận riêng tư"
MEASURED = ["V1;BIO-GLU;5.1;mmol/L;", "VISIT-40;BIO-CREA;73.77;µmol/L;"]
REFERRED = [f"REFERRAL-40;{KEY};{HOSPITAL};WORKUP-CARD;202610150730;khó ngủ vì việc riêng"]


def now() -> datetime:
    return datetime.now(UTC)


class Site:
    """A centre on `engine` with one hospital, which is real."""

    def __init__(self, engine: Engine, folder: Path, base: str) -> None:
        self.engine, self.folder, self.base, self.said = engine, folder, base, ""
        (folder / "identity.key").write_text("0123456789abcdef0123456789abcdef")
        shutil.copytree("mappings", folder / "mappings")
        settings = Settings(
            mappings=folder / "mappings",
            identity_key=f"file:{folder / 'identity.key'}",
            database_url=f"sqlite:///{folder / 'other.db'}",
            max_deletions_percent=100,
            hospitals={
                HOSPITAL: HospitalSettings(
                    name=HOSPITAL, display=HOSPITAL, level="provincial", base_url=f"{base}/fhir"
                )
            },
        )
        self.adapter = Adapter(settings, engine)
        self.repository = Repository(engine, on_changes=self._receive)
        self.number = 0

    def _receive(self, connection: Any, changes: Sequence[VersionChange]) -> None:
        refuse_erased(self.adapter, connection, changes)
        receive_changes(connection, changes, now=now())

    def imports(
        self,
        people: Sequence[str],
        visits: Sequence[str] = (),
        measured: Sequence[str] = (),
        referred: Sequence[str] = (),
        **options: Any,
    ) -> ImportReport:
        rows = {"cadres": people, "visits": visits, "measurements": measured, "referrals": referred}
        files = {name: [TITLES[name], *listed] for name, listed in rows.items()}
        return self.imports_files(files, **options)

    def imports_files(self, files: Mapping[str, Sequence[str]], **options: Any) -> ImportReport:
        """CSVs by their names."""
        self.number += 1
        path = self.folder / f"in{self.number}"
        path.mkdir()
        for name, lines in files.items():
            (path / f"{name}.csv").write_text("\n".join(lines) + "\n", "utf-8")
        report = ImportRecords((path,), **options).perform(OperationContext(self.adapter, "test", now))
        shutil.rmtree(path)
        out = Console(file=StringIO(), width=300)
        command._draw(out, report)
        assert isinstance(out.file, StringIO)
        self.said += repr(report) + out.file.getvalue() + "".join(map(str, report.problems))
        return report

    def whole(self, tier: str, **options: Any) -> ImportReport:
        """The whole state, with the person in that tier."""
        return self.imports([*OTHERS, person(tier)], [*VISITS, OWN_VISIT], MEASURED, REFERRED, **options)

    def sync(self) -> None:
        self.adapter.cards.put(HOSPITAL, CAPABLE_SERVER, now())
        done = run_sync(self.adapter, [HOSPITAL], now, lambda *_: None)
        assert done.exit_code == 0, done
        self.said += repr(done)

    def push(self, resource: dict[str, Any]) -> str:
        """The hospital creates it at our endpoint; its id."""
        made = self.repository.create(HOSPITAL, resource)
        process_inbox(self.adapter, now)
        return made.id

    def identity(self, type_: str, kind: str, key: str) -> str:
        return self.adapter.identities.of(HOSPITAL, type_, kind, key)

    def push_reports(self, *, answering: bool) -> None:
        """What answers the referral; and what names the person in the hospital's own ways."""
        system = self.adapter.settings.centre.identifier_system
        based = {
            "identifier": {
                "system": system,
                "value": self.identity("ServiceRequest", "referral", "REFERRAL-40"),
            }
        }
        coded = {"status": "final", "code": {"text": "Siêu âm"}}
        if answering:
            answer = {"basedOn": [based], "conclusion": "kết luận riêng tư"}
            self.push({"resourceType": "DiagnosticReport", **coded, **answer})
        number = {"system": "urn:x", "value": CITIZEN}
        who = {"name": [{"text": NAME}], "birthDate": "1950-09-02", "identifier": [number]}
        patient = {"reference": f"Patient/{self.push({'resourceType': 'Patient', **who})}"}
        specimen = {
            "resourceType": "Specimen",
            "subject": patient,
            "note": [{"text": "khó ngủ vì việc riêng"}],
        }
        tube = {"reference": f"Specimen/{self.push(specimen)}"}
        value = {"resourceType": "Observation", **coded, "specimen": tube, "valueString": "73.77"}
        seen = {"reference": f"Observation/{self.push(value)}"}
        self.push({"resourceType": "DiagnosticReport", **coded, "result": [seen], "conclusion": "73.77"})
        visit = {
            "class": {"code": "AMB"},
            "status": "finished",
            "reasonCode": [{"text": "khó ngủ vì việc riêng"}],
        }
        self.push({"resourceType": "Encounter", "subject": patient, **visit})
        self.push(
            {"resourceType": "Observation", **coded, "subject": {"display": NAME}, "valueString": "73.77"}
        )

    def holds(self) -> list[dict[str, Any]]:
        found = []
        for type_ in ("Patient", "Encounter", "Observation", "ServiceRequest", "DiagnosticReport"):
            bundle = plainly.get(f"{self.base}/fhir/{type_}", params={"_count": "1000"}).json()
            found += [entry["resource"] for entry in bundle.get("entry", ())]
        return found

    def everything(self) -> str:
        """Every byte of the database's files, or every row of every table."""
        with read_transaction(self.engine) as connection:
            rows = [
                one.decode("utf-8", "replace") if isinstance(one, bytes | memoryview) else str(one)
                for table in inspect(connection).get_table_names()
                for row in connection.execute(text(f'SELECT * FROM "{table}"'))  # noqa: S608 - names of tables
                for one in row
                if one is not None
            ]
        files = ""
        if self.engine.dialect.name == "sqlite":
            place = Path(str(self.engine.url.database))
            found = (file.read_bytes() for file in place.parent.glob(f"{place.name}*"))
            files = b"".join(found).decode("utf-8", "replace")
        return "\n".join(rows) + files


@pytest.fixture
def site(engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Site]:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpcore").setLevel(logging.INFO)
    folder = tmp_path / "centre"
    folder.mkdir()
    store = open_database(f"sqlite:///{tmp_path / 'hospital.db'}")
    with serving(SandboxHospital(store, HOSPITAL).app) as base:
        site = Site(engine, folder, base)
        yield site
    store.dispose()


def nothing_told(site: Site, logged: str = "") -> None:
    everything = site.everything() + site.said + logged
    files = [file for file in site.folder.rglob("*") if file.is_file() and "mappings" not in file.parts]
    everything += "".join(file.read_text("utf-8", "replace") + file.name for file in files)
    for telling in TELLING:
        assert telling not in everything, telling


def nothing_at_the_hospital(site: Site) -> None:
    assert NAME not in repr(site.holds())
    assert "73.77" not in repr(site.holds())
    assert "Lê Văn" in repr(site.holds())


def test_t0_from_the_start(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.whole("T0")
    site.sync()
    nothing_told(site, caplog.text)
    nothing_at_the_hospital(site)


def test_t0_later_is_retracted_and_leaves_nothing(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.whole("T4")
    site.sync()
    assert NAME in repr(site.holds())
    caplog.clear()
    site.said = ""
    report = site.whole("T0", allow_deletions=True)
    assert report.scrubbed == 4
    nothing_told(site, caplog.text)  # while the retraction waits
    with read_transaction(site.engine) as connection:
        waiting = connection.execute(select(tables.entry.c.kind, tables.entry.c.key, tables.entry.c.state))
        assert ("unknown", "", "retracting") in set(map(tuple, waiting))
    site.sync()
    nothing_at_the_hospital(site)
    site.sync()
    with read_transaction(site.engine) as connection:
        left = connection.execute(select(tables.entry).where(tables.entry.c.kind == "unknown")).all()
    assert left == []  # proved to be gone, so the lines are too
    nothing_told(site, caplog.text)
    assert not [one for one in current_problems(site.adapter, now()) if one.hospital]


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside a sheet of people"])
def test_whom_a_wide_sheet_alone_calls_t0_leaves_nothing(
    site: Site, caplog: pytest.LogCaptureFixture, *, beside: bool
) -> None:
    site.whole("T4")
    site.sync()
    assert NAME in repr(site.holds())
    caplog.clear()
    site.said = ""
    header = "Mã cán bộ;Họ và tên;Loại;Ngày khám;Creatinin (µmol/L);AST (U/L);Diện quản lý"
    table = [
        header,
        "CB-0001;;Khám định kỳ;15/03/2026;88;30;T4",
        f"{KEY};{NAME};Khám định kỳ;15/03/2026;73.77;30;T0",
    ]
    files = {"Wide": table}
    if beside:
        files["cadres"] = [TITLES["cadres"], *OTHERS, person("T4")]
    report = site.imports_files(files, partial=True)
    assert report.scrubbed > 0
    site.sync()
    nothing_at_the_hospital(site)
    nothing_told(site, caplog.text)


@pytest.mark.parametrize("wide", [False, True])
def test_who_left_a_key_to_another_and_is_t0_now_leaves_nothing(site: Site, *, wide: bool) -> None:
    """What was stored under the former key is in the history of imports alone, for an undo."""
    site.whole("T4")
    site.sync()
    another = f"{KEY};Lê Văn Zung;Nam;05/03/1970;T4;;;;;"
    yes = AllowedChanges(people=True, former=True)
    site.imports([*OTHERS, another], VISITS, MEASURED[:1], allow_deletions=True, allowed=yes)
    site.sync()
    assert NAME in site.everything()
    if wide:
        titles = (
            "Mã cán bộ;Họ và tên;Ngày sinh;Số CCCD;Loại;Ngày khám;Creatinin (µmol/L);AST (U/L);Diện quản lý"
        )
        hers = f"CB-0099;{NAME};02/09/1950;{CITIZEN};Khám định kỳ;15/03/2026;73.77;30;T0"
        site.imports_files({"Wide": [titles, hers]}, partial=True)
    else:
        listed = [*OTHERS, another, person("T0", "CB-0099")]
        site.imports(listed, VISITS, MEASURED[:1], allow_deletions=True)
    for telling in (NAME, PHONE, CITIZEN, CARD, "khó ngủ vì việc riêng", "kết luận riêng tư", "73.77"):
        assert telling not in site.everything(), telling
    assert "Lê Văn Zung" in site.everything()
    older = site.imports([person("T4", "CB-0098")], partial=True)  # an older workbook under any key
    assert older.returning == 1
    assert NAME not in site.everything()


@pytest.mark.parametrize("synced", [True, False])
def test_an_older_workbook_brings_nobody_back(
    site: Site, caplog: pytest.LogCaptureFixture, *, synced: bool
) -> None:
    site.whole("T4")
    if synced:
        site.sync()
    site.whole("T0", allow_deletions=True)
    site.said = ""
    caplog.clear()
    report = site.whole("T4")
    assert (report.returning, report.refused_people, report.rejects) == (1, 1, None)
    nothing_told(site, caplog.text)
    site.imports([*OTHERS, person("T4", "CB-0999")], VISITS)  # under another key
    nothing_told(site, caplog.text)
    site.imports(OTHERS, [*VISITS, OWN_VISIT], MEASURED, partial=True)  # without the people's row
    nothing_told(site, caplog.text)
    site.sync()
    site.sync()
    nothing_told(site, caplog.text)
    nothing_at_the_hospital(site)


def test_who_is_t0_no_more_comes_back_when_somebody_says_so(site: Site) -> None:
    site.whole("T4")
    site.whole("T0", allow_deletions=True)
    assert site.whole("T4").returning == 1
    report = site.whole("T4", admitted=(KEY,))
    assert (report.returning, report.kinds["cadre"].created) == (0, 1)
    assert site.whole("T4").changes == 0
    site.sync()
    assert NAME in repr(site.holds())


def test_after_a_merge(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    second = f"CB-0041;{NAME};Nữ;02/09/1950;T4;;;;;"
    visit = "VISIT-41;CB-0041;Khám định kỳ;202610150730;khó ngủ vì việc riêng;"
    site.imports([*OTHERS, person("T4"), second], [*VISITS, OWN_VISIT, visit], MEASURED, REFERRED)
    site.sync()
    MergeCadres("CB-0041", KEY).perform(OperationContext(site.adapter, "test", now))
    site.sync()
    caplog.clear()
    site.said = ""
    site.whole("T0", allow_deletions=True)
    site.sync()
    site.sync()
    nothing_told(site, caplog.text)
    assert "CB-0041" not in site.everything()
    nothing_at_the_hospital(site)


@pytest.mark.parametrize("known", [True, False])
def test_what_a_hospital_had_sent_goes_too(
    site: Site, caplog: pytest.LogCaptureFixture, *, known: bool
) -> None:
    site.whole("T4" if known else "T0")
    site.sync()
    other = {"resourceType": "Patient", "name": [{"text": NAME}], "birthDate": "1977-07-07"}
    namesake = {"reference": f"Patient/{site.push(other)}"}
    report = {"resourceType": "Observation", "status": "final", "code": {"text": "SpO2"}, "subject": namesake}
    site.push({**report, "valueString": "của người trùng tên"})
    site.push_reports(answering=known)
    caplog.clear()
    site.said = ""
    site.whole("T0", allow_deletions=True)
    site.sync()
    site.sync()
    everything = site.everything().replace("1977-07-07", "")
    assert everything.count("của người trùng tên") > 1
    for telling in TELLING[1:]:
        assert telling not in everything, telling
    assert everything.count(NAME) <= 8  # the namesake's own
    assert CITIZEN not in caplog.text + site.said


def test_what_a_hospital_goes_on_sending_is_refused(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.whole("T4")
    site.sync()
    held = [one["id"] for one in site.holds() if one["resourceType"] == "Patient" and NAME in repr(one)]
    own = site.push({"resourceType": "Patient", "name": [{"text": NAME}], "birthDate": "1950-09-02"})
    identity = site.identity("ServiceRequest", "referral", "REFERRAL-40")
    site.whole("T0", allow_deletions=True)
    report = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "Siêu âm"}}
    private = {**report, "conclusion": "kết luận riêng tư"}
    system = site.adapter.settings.centre.identifier_system
    number = {"system": "urn:x", "value": f"{CITIZEN[:6]} {CITIZEN[6:]}"}
    refused = [
        {"resourceType": "Patient", "identifier": [number], "name": [{"text": NAME}]},
        {**private, "basedOn": [{"identifier": {"system": system, "value": identity}}]},
        {**private, "subject": {"reference": f"Patient/{held[0]}"}},
        {**private, "subject": {"reference": f"Patient/{own}"}},
        {**private, "subject": {"identifier": number}},
    ]
    for later in (False, True):
        for one in refused:
            with pytest.raises(FhirError) as error:
                site.push(one)
            assert error.value.status == 422 or "reference" in repr(one)
            site.said += str(error.value)
        if not later:
            site.said = ""
            site.sync()
            site.sync()
    site.push({**report, "conclusion": "của ai đó"})
    assert "của ai đó" in site.everything()
    site.said = ""
    caplog.clear()
    nothing_told(site)
    site.whole("T4", admitted=(KEY,))
    site.sync()
    site.push(refused[1])
    assert "kết luận riêng tư" in site.everything()


def test_what_others_records_said_before_goes_from_here_and_from_the_hospital(site: Site) -> None:
    told = [
        f"V2;CB-0002;Khám định kỳ;202610150730;đi cùng {NAME};ổn định",
        f"V3;CB-0003;Khám định kỳ;202610150730;;gọi {PHONE}",
    ]
    measured = [*MEASURED, "V2;BIO-GLU;5.5;mmol/L;", f"V2;EX-CIRC;mẫu của {KEY};;"]
    site.imports([*OTHERS, person("T4")], [*VISITS, OWN_VISIT, *told], measured, REFERRED)
    site.sync()
    site.said = ""
    site.imports(
        [*OTHERS, person("T0")], [*VISITS, OWN_VISIT, *told], measured, REFERRED, allow_deletions=True
    )
    site.sync()
    site.sync()
    nothing_told(site)
    held = repr(site.holds())
    for telling in (NAME, PHONE, KEY):
        assert telling not in held
    assert "ổn định" in site.everything()  # the rest of that visit stays


def test_what_documents_of_others_say_goes_though_no_byte_of_it_shows_the_words(site: Site) -> None:
    site.whole("T4")
    site.sync()
    system = site.adapter.settings.centre.identifier_system
    subject = {"identifier": {"system": system, "value": site.identity("Patient", "cadre", "CB-0001")}}
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Siêu âm"},
        "subject": subject,
    }
    hidden = [base64.b64encode(f"đi cùng {NAME} {word}".encode()).decode() for word in ("hôm nay", "hôm qua")]
    split = "Mạch <b>Thị</b> B&#237; Ẩn"
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><p>cùng {split}</p></div>'
    nested = {"code": {"text": "đi cùng"}, "valueString": f"với {NAME}"}
    plain = {"contentType": "text/plain"}
    site.push({**report, "presentedForm": [{**plain, "data": hidden[0]}]})
    site.push(
        {**report, "contained": [{**report, "id": "c", "presentedForm": [{**plain, "data": hidden[1]}]}]}
    )
    site.push({**report, "text": {"status": "additional", "div": div}})
    site.push({**report, "resourceType": "Observation", "component": [nested]})
    site.push({**report, "conclusion": "của riêng người này"})
    results = [one for one in site.adapter.records.iterate("result") if isinstance(one, Result)]
    assert len(results) == 5
    site.said = ""
    site.whole("T0", allow_deletions=True)
    site.sync()
    site.sync()
    nothing_told(site)
    everything = site.everything()
    for telling in (*hidden, split):
        assert telling not in everything, telling
    left = [one.conclusion for one in site.adapter.records.iterate("result") if isinstance(one, Result)]
    assert left == ["của riêng người này"]


FORM = (
    f"<HO_SO_KSK><HANH_CHINH><MA_LK>VISIT-49</MA_LK><HO_TEN>{NAME}</HO_TEN><SO_CCCD>{CITIZEN}</SO_CCCD>"
    "<MA_THE_BHYT></MA_THE_BHYT><NGAY_KHAM>202610020800</NGAY_KHAM></HANH_CHINH>"
    "<KHAM_THE_LUC><HUYET_AP></HUYET_AP><CAN_NANG>73,77</CAN_NANG></KHAM_THE_LUC></HO_SO_KSK>"
)


def test_from_a_form_and_from_a_database(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    def read(path: Path) -> ImportReport:
        report = ImportRecords((path,)).perform(OperationContext(site.adapter, "test", now))
        site.said += repr(report) + "".join(map(str, report.problems))
        return report

    def tier(value: str) -> None:
        with sqlite3.connect(site.folder / "his.db") as his:
            his.execute("UPDATE people SET tier = ? WHERE key = ?", (value, KEY))

    with sqlite3.connect(site.folder / "his.db") as his:
        his.execute("CREATE TABLE people (key, name, sex, birth_date, tier, national_id, phone)")
        his.execute("CREATE TABLE visits (key, cadre, type, started_at, reason)")
        rows = [
            (f"CB-{number:04}", f"Lê Văn {number * 'A'}", "Nam", "1960-03-05", "T4", None, None)
            for number in range(1, 40)
        ]
        his.executemany(
            "INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?)",
            [*rows, (KEY, NAME, "Nữ", "1950-09-02", "T4", CITIZEN, PHONE)],
        )
        visit = ("VISIT-40", KEY, "Khám định kỳ", "2026-10-15 07:30", "khó ngủ vì việc riêng")
        his.execute("INSERT INTO visits VALUES (?, ?, ?, ?, ?)", visit)
    (site.folder / "his.url").write_text("sqlite:///his.db")
    source = site.folder / "his.yaml"
    source.write_text(
        "source: his\nconnection: file:his.url\nqueries:\n"
        "  cadre: SELECT * FROM people\n  visit: SELECT * FROM visits\n"
    )
    form = site.folder / "form.xml"
    form.write_bytes(content if isinstance(content := document(FORM), bytes) else content.encode())
    assert read(source).kinds["cadre"].created == 40
    assert read(form).kinds["measurement"].created == 1
    site.sync()
    tier("T0")
    site.said = ""
    caplog.clear()
    assert read(source).scrubbed == 4
    report = read(form)
    assert (report.withheld > 0, report.rejects) == (True, None)
    tier("T4")
    assert read(source).returning == 1
    site.sync()
    site.sync()
    for file in ("his.db", "form.xml"):
        (site.folder / file).unlink()
    nothing_told(site, caplog.text)
    assert "VISIT-49" not in site.everything()
    nothing_at_the_hospital(site)


def test_what_was_stored_before_anybody_looked_goes_when_its_row_is_held(site: Site) -> None:
    """The people's sheet was left out of an earlier import, so that nobody knew whose name it was."""
    told = f"V2;CB-0002;Khám định kỳ;202610150730;đi cùng {NAME};ổn định"
    site.imports(OTHERS, [*VISITS, told])
    site.sync()
    assert NAME in repr(site.holds())
    for _ in range(2):
        site.said = ""
        assert site.imports([*OTHERS, person("T0")], [*VISITS, told]).withheld == 1
        site.sync()
    nothing_told(site)
    assert NAME not in repr(site.holds())
    assert "ổn định" in site.everything()


def test_a_plan_that_was_read_before_is_not_written_after(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync that had read the person when the import began."""
    site.whole("T4")
    pages, late = planning.changed_pages, []

    def read_then_erased(*args: Any) -> Iterator[Any]:
        for page in pages(*args):
            if not late:
                late.append(page)
                site.whole("T0", allow_deletions=True)
            yield page

    monkeypatch.setattr(planning, "changed_pages", read_then_erased)
    site.sync()
    site.said = ""
    nothing_told(site)
    nothing_at_the_hospital(site)


def test_whoever_had_the_shipment_under_way_loses_it(site: Site) -> None:
    site.whole("T4")
    site.sync()
    ledger = site.adapter.ledger
    lease = ledger.shipments.claim_one(HOSPITAL, KEY, now(), 60)
    assert lease is not None
    [line] = [one for one in ledger.entries(HOSPITAL, [KEY])[KEY] if one.type == "Patient"]
    site.whole("T0", allow_deletions=True)
    with pytest.raises(LeaseLost):
        ledger.settle(lease, [DeliveryOutcome(line.identity, EntryEvent.CONFIRM)], now())
    with pytest.raises(LeaseLost):
        ledger.finish(lease, [DeliveryOutcome(line.identity, EntryEvent.CONFIRM)], None, now())
    assert ledger.shipments.claim(HOSPITAL, now(), 60, 10) == []  # it may still be at it
    for _ in range(2):
        ledger.shipments.reclaim_expired({HOSPITAL: 0.0})
    site.sync()
    site.said = ""
    nothing_told(site)
    nothing_at_the_hospital(site)


def test_how_many_were_erased_cannot_be_told_from_the_table(site: Site) -> None:
    def hashes() -> set[str]:
        with read_transaction(site.engine) as connection:
            return set(connection.execute(select(erased_name.c.hash)).scalars())

    site.whole("T4")
    before = hashes()
    site.whole("T0", allow_deletions=True)
    after = hashes()
    assert len(before) == len(after) == 256
    assert len(before - after) == 4  # the key, the number, the card and the ten digits that it ends with
    assert list(map(len, after)) == [32] * 256


@pytest.mark.parametrize("stopped", ["halted", "paused"])
def test_a_hospital_that_nothing_is_written_to_is_a_problem_that_names_nobody(
    site: Site, caplog: pytest.LogCaptureFixture, stopped: str
) -> None:
    site.whole("T4")
    site.sync()
    if stopped == "halted":
        site.adapter.ledger.servers.halt(HOSPITAL, HaltReason.RESTORED, now(), by="test")
    else:
        site.adapter.ledger.hospitals.set_mode(HOSPITAL, HospitalMode.PAUSED, by="test", note=None, now=now())
    assert "withdrawals" not in {one.code for one in current_problems(site.adapter, now())}
    site.said = ""
    caplog.clear()
    site.whole("T0", allow_deletions=True)
    [problem] = [one for one in current_problems(site.adapter, now()) if one.code == "withdrawals"]
    listed = waiting_withdrawals(site.adapter, HOSPITAL)
    assert problem.count == len(listed) > 1
    held = {one["id"] for one in site.holds()}
    assert {one.id for one in listed if one.type != "Task"} <= held
    nothing_told(site, caplog.text + repr(listed) + repr(problem) + problem.words)
    with write_transaction(site.engine) as connection:
        going = {"halted": None, "halted_at": None, "mode": "running"}
        connection.execute(tables.hospital.update().values(**going))
    site.sync()
    assert "withdrawals" not in {one.code for one in current_problems(site.adapter, now())}
    assert waiting_withdrawals(site.adapter, HOSPITAL) == []
