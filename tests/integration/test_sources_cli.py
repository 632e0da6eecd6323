"""`adapter source check`, `source list`, `import` of a source, and its schedule, as typed by a person."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from centre_states import CentreStates
from checkup_forms import document
from his import SOURCE, engine_of, fill

from adapter.testing import Centre, until

FORM = (
    "<HO_SO_KSK><HANH_CHINH><MA_LK>LK1</MA_LK><SO_CCCD>024064104760</SO_CCCD>"
    "<NGAY_KHAM>202610020800</NGAY_KHAM></HANH_CHINH></HO_SO_KSK>\n"
)


@pytest.fixture
def centre(tmp_path: Path, centre_states: CentreStates) -> Iterator[Centre]:
    centre_states.put_empty(tmp_path)
    made = Centre(tmp_path)
    with engine_of(f"sqlite:///{tmp_path / 'his.db'}").begin() as connection:
        fill(connection)
    made.environment["HIS_URL"] = "sqlite:///his.db"
    (tmp_path / "his.yaml").write_text(SOURCE.read_text("utf-8"), "utf-8")
    with (tmp_path / "adapter.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[sources.his]\nfile = "his.yaml"\nschedule = "* * * * * *"\n')
    yield made
    made.close()


def test_check_shows_records_and_resources_and_stores_nothing(centre: Centre) -> None:
    facts = json.loads(centre.run("source", "check", "his", "--json"))
    assert facts["rows"]["cadre"] == 20
    assert [len(records) for records in facts["records"].values()] == [5, 5, 5, 5, 5, 1, 5]
    assert facts["resources"]["measurement"][0]["resourceType"] == "Observation"
    assert "CB-0003" not in json.dumps(facts)
    drawn = centre.run("source", "check", "his.yaml")
    assert "Cadres: 20 rows, 0 rejected" in drawn
    assert "Nothing was stored" in drawn
    assert [line["read_at"] for line in json.loads(centre.run("source", "list", "--json"))] == [None]


def test_check_says_what_is_wrong_and_ends_with_one(centre: Centre) -> None:
    assert "There is no source hiss" in centre.attempt("source", "check", "hiss").stderr
    file = centre.folder / "his.yaml"
    file.write_text(file.read_text("utf-8").replace("ma_lk AS ma_luot_kham", "ma_lk AS ma_luot_khm"), "utf-8")
    done = centre.attempt("source", "check", "his")
    assert done.returncode == 1
    assert "(? ma_luot_khm)" in done.stderr


def test_a_name_is_imported_and_listed(centre: Centre) -> None:
    centre.run("import", "his")
    listed = {line["kind"]: line for line in json.loads(centre.run("source", "list", "--json"))}
    assert listed["visit"]["whole"] is True
    assert listed["visit"]["changes_up_to"].startswith("2026-11-01")
    (centre.folder / "form.xml").write_bytes(document(FORM))
    assert json.loads(centre.run("import", "form.xml", "--json"))["kinds"]["visit"]["created"] == 1
    again = json.loads(centre.run("import", "his", "--full", "--json"))
    assert again["kinds"]["visit"]["deleted"] == 0  # the form's is not the database's


def test_the_schedule_reads_it(centre: Centre) -> None:
    centre.run("source", "list")  # makes the database
    centre.start("schedule", "schedule")
    listed = lambda: json.loads(centre.run("source", "list", "--json"))  # noqa: E731
    assert until(lambda: listed()[0]["read_at"] is not None, 60, every=1)
    centre.stop("schedule")
