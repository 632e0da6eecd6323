"""Whose server it is: a ledger belongs to one, and what it remembers means something there alone."""

import json
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import plainly
import pytest

from adapter.testing import Centre, HospitalProcess, with_cells

NAME = "bv-tinh"
STRANGER = "https://another-client.example/ids"
Resources = dict[str, dict[str, Any]]


class Story:
    """A centre and its one hospital, a process with its store on disk."""

    def __init__(self, folder: Path, records: Path, database_url: str | None = None) -> None:
        self.folder = folder
        self.records = records
        (folder / "hospital").mkdir()
        self.hospital = HospitalProcess(folder / "hospital", NAME)
        section = {"base_url": self.hospital.base_url, "level": "central", "timeout_seconds": 20}
        self.centre = Centre(
            folder / "centre",
            hospitals={NAME: section},
            database_url=database_url,
            settings={"patience_seconds": 10},
        )

    def __enter__(self) -> "Story":
        self.hospital.__enter__()
        self.centre.put_server_cards()
        self.change_values("104")
        return self

    def __exit__(self, *_: object) -> None:
        self.centre.close()
        self.hospital.close()

    def change_values(self, value: str) -> None:
        """Every creatinine is another now; there is no hospital but one."""

        def changed(_sheet: str, row: dict[str, Any]) -> bool:
            row |= {"Bệnh viện": NAME} if row.get("Bệnh viện") else {}
            if row.get("Mã chỉ số") == "BIO-CREA":
                row["Giá trị"] = value
            return True

        self.centre.run("import", str(with_cells(self.records, self.folder / f"{value}.xlsx", changed)))

    def sync(self, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = self.centre.run_json("sync", code=code)["hospitals"][NAME]
        return found

    def problems(self) -> set[str]:
        said = self.centre.attempt("status", "--problems", "--json")
        return {one["code"] for one in json.loads(said.stdout)}

    def point_to(self, base_url: str) -> None:
        file = self.centre.settings_file
        lines = file.read_text("utf-8").splitlines()
        changed = [f'base_url = "{base_url}"' if line.startswith("base_url") else line for line in lines]
        file.write_text("\n".join(changed) + "\n", "utf-8")

    # -- the hospital's store --------------------------------------------------------------

    def save_store(self) -> None:
        """The hospital's people make a backup."""
        self.hospital.stop()
        for file in self._store():
            shutil.copy(file, self.folder / f"saved-{file.name}")
        self.hospital.start()

    def put_back(self) -> None:
        """The hospital's people put the backup back."""
        self.hospital.stop()
        for file in self._store():
            file.unlink()
        for file in self.folder.glob("saved-*"):
            shutil.copy(file, self.folder / "hospital" / file.name.removeprefix("saved-"))
        self.hospital.start()

    def _store(self) -> list[Path]:
        return list((self.folder / "hospital").glob(f"{NAME}.db*"))

    def take_ids(self, count: int) -> Resources:
        """Another client's resources, under ids that ours had: "Type/id" -> resource."""
        with self.centre.open() as adapter:
            ours = adapter.ledger.servers.newest_delivered(NAME, count)
        taken: Resources = {}
        for one in ours:
            theirs = {"system": STRANGER, "value": one.remote_id}
            body = {"resourceType": one.type, "id": one.remote_id, "identifier": [theirs]}
            answer = plainly.put(f"{self.hospital.base_url}/{one.type}/{one.remote_id}", json=body)
            assert answer.status_code in (200, 201), answer.text
            taken[f"{one.type}/{one.remote_id}"] = answer.json()
        return taken

    def read(self, places: Collection[str]) -> Resources:
        return {place: plainly.get(f"{self.hospital.base_url}/{place}").json() for place in places}


@pytest.fixture
def story(tmp_path: Path, brief: Path) -> Iterator[Story]:
    with Story(tmp_path, brief) as story:
        yield story


@pytest.fixture
def postgres_story(tmp_path: Path, brief: Path, postgres_url: str) -> Iterator[Story]:
    with Story(tmp_path, brief, postgres_url) as story:
        yield story


@pytest.fixture
def other(tmp_path: Path) -> Iterator[HospitalProcess]:
    (tmp_path / "other").mkdir()
    with HospitalProcess(tmp_path / "other", NAME) as hospital:
        yield hospital


@pytest.mark.parametrize("kind", ["story", "postgres_story"])
def test_a_restored_server_is_not_written_to_until_it_was_repaired(
    kind: str, request: pytest.FixtureRequest
) -> None:
    story: Story = request.getfixturevalue(kind)
    story.save_store()
    assert story.sync()["delivered"] > 100
    story.put_back()
    taken = story.take_ids(60)
    story.change_values("77")
    done = story.sync(code=1)
    assert done["write_requests"] == 0
    assert any("restored from an older backup" in problem for problem in done["problems"])
    assert "restored" in story.problems()
    again = story.sync(code=1)
    assert (again["requests"], again["planned"]) == (0, 0)
    assert "reconcile" in story.centre.run("hospital", "show", NAME)
    assert story.read(taken) == taken

    said = story.centre.run("reconcile", NAME, "--repair", "--yes")
    assert "may be written to again" in said
    done = story.sync()
    assert (done["waiting"], done["unknown"], done["problems"]) == (0, 0, [])
    assert "restored" not in story.problems()
    story.change_values("78")
    assert story.sync()["delivered"] > 0
    assert story.centre.run_json("reconcile", NAME)[NAME]["findings"] == []
    assert story.read(taken) == taken


def test_a_worker_stops_at_a_restored_server_too(story: Story) -> None:
    story.save_store()
    story.sync()
    story.put_back()
    taken = story.take_ids(50)
    story.change_values("77")
    story.centre.run("worker", "--once")
    assert story.hospital.view.stats()["write_requests"] == len(taken)
    assert story.read(taken) == taken
    assert "restored" in story.problems()


def test_what_was_delivered_after_the_backup_is_missed_though_nobody_took_its_ids(story: Story) -> None:
    story.sync()
    story.save_store()
    story.change_values("77")
    story.sync()
    story.put_back()
    story.change_values("78")
    assert story.sync(code=1)["write_requests"] == 0
    assert "restored" in story.problems()


def test_a_restored_server_that_lost_nothing_goes_on(story: Story) -> None:
    story.sync()
    story.save_store()
    story.put_back()
    story.change_values("77")
    done = story.sync()
    assert (done["problems"], done["waiting"]) == ([], 0)


def test_one_resource_that_the_hospital_deleted_stops_nothing(story: Story) -> None:
    story.sync()
    with story.centre.open() as adapter:
        newest = adapter.ledger.servers.newest_delivered(NAME, 3)
    for one in newest:
        plainly.delete(f"{story.hospital.base_url}/{one.type}/{one.remote_id}")
    story.change_values("77")
    assert story.sync()["problems"] == []


def test_where_nothing_is_sent_nothing_is_asked(story: Story) -> None:
    story.sync()
    assert story.sync()["requests"] == 0


def test_another_address_stops_the_hospital_and_takes_nothing_for_delivered(
    story: Story, other: HospitalProcess
) -> None:
    story.sync()
    story.point_to(other.base_url)
    done = story.sync(code=1)
    assert (done["requests"], done["unreachable"]) == (0, False)
    assert all(word in done["problems"][0] for word in ("moved", "forget", "reconcile"))
    assert "other-server" in story.problems()
    assert "no-card" in story.problems()  # the old server's card says nothing of this one
    story.point_to(story.hospital.base_url + "/")  # a slip that was put right needs no more
    assert story.sync()["problems"] == []


def test_from_rehearsal_to_real_by_forgetting(story: Story, other: HospitalProcess) -> None:
    delivered = story.sync()["delivered"]
    before = story.hospital.view.stats()["write_requests"]
    story.point_to(other.base_url)
    looked = story.centre.run_json("hospital", "forget", NAME, "--dry-run")
    assert (looked["forgotten"], looked["preview"]["held"]) == (False, delivered)
    assert story.centre.attempt("hospital", "forget", NAME).returncode == 2  # nobody to ask
    assert story.sync(code=1)["requests"] == 0
    done = story.centre.run_json("hospital", "forget", NAME, "--yes")
    assert done["planned"] == delivered
    [line] = story.centre.run_json("status")
    assert (line["waiting"], line["delivered"]) == (delivered, 0)
    story.centre.run("doctor", NAME)
    assert story.sync()["delivered"] == delivered
    assert other.view.count("Patient") == story.hospital.view.count("Patient") > 0
    assert story.hospital.view.stats()["write_requests"] == before
    assert story.centre.run_json("reconcile", NAME)[NAME]["findings"] == []
    assert story.centre.attempt("hospital", "forget", NAME, "--yes").returncode == 2  # it is its own now
    with story.centre.open() as adapter:
        assert "hospital.forgotten" in _audited(adapter.engine)


def test_the_same_server_at_a_new_address_goes_on(story: Story) -> None:
    story.sync()
    moved = story.hospital.base_url.replace("127.0.0.1", "localhost")
    story.point_to(moved)
    assert story.sync(code=1)["requests"] == 0
    story.centre.run("hospital", "moved", NAME, "--yes")
    done = story.sync()
    assert (done["requests"], done["problems"]) == (0, [])
    assert "no-card" not in story.problems()  # it came along
    story.change_values("77")
    assert story.sync()["problems"] == []


def test_who_says_moved_of_another_server_is_found_out_before_anything_is_written(
    story: Story, other: HospitalProcess
) -> None:
    story.sync()
    story.point_to(other.base_url)
    story.centre.run("hospital", "moved", NAME, "--yes")
    story.change_values("77")
    assert story.sync(code=1)["write_requests"] == 0
    assert other.view.stats()["write_requests"] == 0
    assert "restored" in story.problems()
    assert story.centre.attempt("hospital", "moved", NAME, "--yes").returncode == 2
    story.centre.run("hospital", "forget", NAME, "--yes")
    assert story.sync()["problems"] == []


def test_a_repair_takes_the_new_server_as_it_is(story: Story, other: HospitalProcess) -> None:
    delivered = story.sync()["delivered"]
    story.point_to(other.base_url)
    story.change_values("77")
    story.centre.run("reconcile", NAME, "--repair", "--yes")
    done = story.sync()
    assert (done["waiting"], done["problems"]) == (0, [])
    [line] = story.centre.run_json("status")
    assert line["delivered"] == delivered
    assert other.view.count("Patient") == story.hospital.view.count("Patient")


def test_an_address_that_nothing_was_sent_to_may_be_put_right(story: Story) -> None:
    right = story.hospital.base_url
    story.point_to("http://127.0.0.1:9/fhir")
    assert story.sync(code=1)["unreachable"]
    story.point_to(right)
    assert story.sync()["problems"] == []


def test_a_ledger_of_before_takes_the_present_server_in_silence(story: Story) -> None:
    story.sync()
    with story.centre.open() as adapter, adapter.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE ledger_hospital SET server_url = NULL, server_says = NULL")
        connection.exec_driver_sql("UPDATE server_card SET base_url = NULL")
    story.change_values("77")
    assert story.sync()["problems"] == []
    with story.centre.open() as adapter:
        assert adapter.ledger.hospitals.row(NAME).server_url == story.hospital.base_url
        assert adapter.cards.get(NAME) is not None


def test_a_plan_says_that_nothing_goes(story: Story, other: HospitalProcess) -> None:
    story.sync()
    story.point_to(other.base_url)
    assert "hospital forget bv-tinh" in story.centre.attempt("plan", NAME).stderr


def test_a_server_that_says_it_is_another_keeps_the_card_and_stops_the_hospital(story: Story) -> None:
    story.centre.attempt("doctor", NAME)
    story.sync()
    with story.centre.open() as adapter:
        row, card = adapter.ledger.hospitals.row(NAME), adapter.cards.get(NAME)
        assert row.server_says == f"cadre-fhir-adapter | Sandbox hospital {NAME} | {story.hospital.base_url}"
        adapter.ledger.servers.note(NAME, adapter.addresses[NAME], "HAPI FHIR Server | Rehearsal | ")
    assert "says that it is another server" in story.centre.run("doctor", NAME, code=1)
    assert "other-server" in story.problems()
    story.change_values("77")
    assert story.sync(code=1)["requests"] == 0
    with story.centre.open() as adapter:
        assert adapter.cards.get(NAME) == card
    story.centre.run("hospital", "moved", NAME, "--yes")  # they gave it another name
    assert story.sync()["problems"] == []


def test_another_key_and_none_are_said_at_once(story: Story) -> None:
    story.sync()
    assert story.problems() & {"other-key", "no-key"} == set()
    key = story.folder / "centre" / "identity.key"
    key.write_text("89abcdef01234567fedcba9876543210")
    assert "other-key" in story.problems()
    key.unlink()
    assert "no-key" in story.problems()


@pytest.mark.parametrize("path", ["/fhir/typo", "/typo", "/$sandbox/stats"])
def test_a_mistyped_path_replaces_no_card(story: Story, path: str) -> None:
    right = story.hospital.base_url
    story.centre.attempt("doctor", NAME)
    with story.centre.open() as adapter:
        card = adapter.cards.get(NAME)
    story.point_to(right.removesuffix("/fhir") + path)
    assert "no FHIR server" in story.centre.run("doctor", NAME, code=1)
    story.point_to(right)
    with story.centre.open() as adapter:
        assert adapter.cards.get(NAME) == card


def _audited(engine: Any) -> set[str]:
    with engine.begin() as connection:
        return set(connection.exec_driver_sql("SELECT action FROM audit").scalars())
