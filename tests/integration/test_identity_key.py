"""The identity key is changed: every hospital keeps the ids of its resources and gets new identities, nothing
is doubled or lost, and what was made with the old key is still known.
"""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import plainly
import pytest
from integration.test_erasing import (
    HOSPITAL,
    KEY,
    OTHERS,
    VISITS,
    Site,
    now,
    person,
)
from sqlalchemy import Engine, func, select, update

from adapter import audit, withheld
from adapter.database import open_database, read_transaction, write_transaction
from adapter.errors import SettingsError, UsageError
from adapter.fhir.identity import IdentityFactory
from adapter.insights.identity_key import identity_key_report
from adapter.insights.problems import current_problems
from adapter.ledger.schema import tables
from adapter.operations.identity_key import ChangeIdentityKey, KeyChange
from adapter.operations.operation import OperationContext
from adapter.operations.reconcile import reconcile_hospital
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.sync import sync as run_sync
from adapter.records.tables import erased_name
from adapter.sandbox.app import SandboxHospital
from adapter.testing import CAPABLE_SERVER, Centre, serving

OLD, NEW, THIRD = (
    "0123456789abcdef0123456789abcdef",
    "fedcba98" + "76543210" * 3 + "q",
    "third-Key-4711-zyx-0815-abc",
)
COUNTED = select(func.count()).select_from(withheld.disclosure_refusal)
SYSTEM = "https://cadre-health.example/fhir/sid/record"


class Renamed(Site):
    """A centre whose key is changed as a person does it: the database, then the settings."""

    def change(self, key: str = NEW, *, leave_unanswered: bool = False) -> KeyChange:
        reference = self.put(key)
        operation = ChangeIdentityKey(reference, leave_unanswered)
        context = OperationContext(self.adapter, "test", now)
        seen = operation.preview(context)
        done = operation.perform(context, seen.version)
        self.use(key)
        return done

    def put(self, key: str) -> str:
        file = self.folder / f"{key[:4]}.key"
        file.write_text(key)
        return f"file:{file}"

    def use(self, key: str) -> None:
        """The settings name this key from now on."""
        settings = self.adapter.settings.model_copy(update={"identity_key": self.put(key)})
        self.adapter = Adapter(settings, self.engine)

    def at_hospital(self) -> dict[str, set[str]]:
        """By type and id: our identities there."""
        return {
            f"{one['resourceType']}/{one['id']}": {
                two["value"] for two in one.get("identifier", ()) if two["system"] == SYSTEM
            }
            for one in self.holds()
        }

    def reconciled(self) -> tuple[Any, ...]:
        with self.adapter.client(HOSPITAL) as client:
            found = reconcile_hospital(self.adapter, HOSPITAL, client, now, lambda *_: None)
        return found.findings

    def line(self, kind: str = "cadre") -> Any:
        with read_transaction(self.engine) as connection:
            query = select(tables.entry).where(tables.entry.c.kind == kind).order_by(tables.entry.c.key)
            return connection.execute(query).first()

    def erased(self) -> set[str]:
        with read_transaction(self.engine) as connection:
            return set(connection.execute(select(erased_name.c.hash)).scalars())


@pytest.fixture
def site(engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Renamed]:
    caplog.set_level(logging.WARNING)
    folder = tmp_path / "centre"
    folder.mkdir()
    store = open_database(f"sqlite:///{tmp_path / 'hospital.db'}")
    with serving(SandboxHospital(store, HOSPITAL).app) as base:
        yield Renamed(engine, folder, base)
    store.dispose()


def under(site: Renamed, key: str) -> bool:
    """Whether the person's resource is there under this key's identity and no other."""
    identity = IdentityFactory(key.encode()).of(HOSPITAL, "Patient", "cadre", "CB-0001")
    named = [found for found in site.at_hospital().values() if identity in found]
    return named == [{identity}]


def test_every_resource_keeps_its_id_and_gets_another_identity(site: Renamed) -> None:
    site.whole("T4")
    site.sync()
    before = site.at_hospital()
    assert under(site, OLD)
    done = site.change()
    left = identity_key_report(site.adapter).former[HOSPITAL]
    assert left == done.hospitals[0].rewritten > 0
    assert "former-key" in {one.code for one in current_problems(site.adapter, now())}
    assert site.at_hospital() == before  # nothing is written by the change itself
    site.sync()
    after = site.at_hospital()
    assert after.keys() == before.keys()
    assert all(len(after[one]) == 1 and after[one] != before[one] for one in before if before[one])
    assert under(site, NEW)
    assert site.reconciled() == ()
    assert identity_key_report(site.adapter).is_well
    assert "former-key" not in {one.code for one in current_problems(site.adapter, now())}
    site.sync()
    assert site.at_hospital() == after


def test_it_can_be_changed_again(site: Renamed) -> None:
    site.whole("T4")
    site.sync()
    before = site.at_hospital()
    for key in (NEW, THIRD):
        site.change(key)
        site.sync()
        assert under(site, key)
    assert site.at_hospital().keys() == before.keys()
    with pytest.raises(UsageError, match="was in use before"):
        site.change(OLD)


def test_it_goes_on_where_it_was_interrupted(site: Renamed) -> None:
    """What was written at the hospital, and not answered: it is found under either identity."""
    site.whole("T4")
    site.sync()
    before = site.at_hospital()
    site.change()
    site.sync()
    written = site.at_hospital()
    for sent in (True, False):  # the server took it, or did not
        with write_transaction(site.engine) as connection:
            values = {"state": "unknown", "sent_at": now() - timedelta(days=1), "delivered_digest": None}
            connection.execute(update(tables.entry).values(**values))
            if not sent:  # and of some the id was not told either
                connection.execute(
                    update(tables.entry).where(tables.entry.c.type == "Encounter").values(remote_id=None)
                )
            connection.execute(update(tables.shipment).values(due_at=now()))
        if not sent:
            put_back(site, before)
        site.sync()
        site.sync()
        assert site.at_hospital() == written
        assert site.reconciled() == ()


def put_back(site: Renamed, before: dict[str, set[str]]) -> None:
    """The hospital holds all under the old identities: what was sent never arrived."""
    for place, [old] in ((place, found) for place, found in before.items() if found):
        resource = plainly.get(f"{site.base}/fhir/{place}").json()
        for one in resource["identifier"]:
            if one["system"] == SYSTEM:
                one["value"] = old
        assert httpx.put(f"{site.base}/fhir/{place}", json=resource).status_code == 200


def test_what_is_deleted_before_it_was_sent_again_is_gone_there(site: Renamed) -> None:
    """The hospital has it under the old identity alone, and its absence under the new one proves nothing."""
    site.whole("T4")
    site.sync()
    site.change()
    site.imports(OTHERS, VISITS, allow_deletions=True)
    site.sync()
    site.sync()
    assert KEY not in repr(site.holds())
    assert "73.77" not in repr(site.holds())
    assert len([one for one in site.holds() if one["resourceType"] == "Patient"]) == len(OTHERS)


def test_what_an_id_was_not_told_of_is_not_doubled(site: Renamed) -> None:
    site.whole("T4")
    site.sync()
    before = site.at_hospital()
    with write_transaction(site.engine) as connection:
        connection.execute(update(tables.entry).values(remote_id=None, etag=None))
    site.change()
    site.sync()
    assert site.at_hospital().keys() == before.keys()
    assert under(site, NEW)


def test_what_was_not_answered_stops_it_or_is_made_anew(site: Renamed) -> None:
    site.whole("T4")
    site.sync()
    with write_transaction(site.engine) as connection:
        mine = tables.entry.c.identity == site.line("visit").identity
        connection.execute(update(tables.entry).where(mine).values(state="unknown"))
    with pytest.raises(UsageError, match="sent and not answered"):
        site.change()
    done = site.change(leave_unanswered=True)
    assert done.hospitals[0].unanswered == 1
    site.sync()
    site.sync()
    assert site.reconciled() == ()


@pytest.mark.parametrize("own", [True, False])
def test_a_process_with_the_old_key_writes_nothing(site: Renamed, *, own: bool) -> None:
    """Whether the audit has a key of its own or not."""
    if own:
        settings = site.adapter.settings.model_copy(update={"audit_key": site.put("audit-key-4711-zyx-0815")})
        site.adapter = Adapter(settings, site.engine)
    site.whole("T4")
    site.sync()
    site.change()
    site.use(OLD)
    before = site.at_hospital()
    with pytest.raises(SettingsError, match="not the one that the database is under"):
        run_sync(site.adapter, [HOSPITAL], now, lambda *_: None)
    assert site.at_hospital() == before
    with pytest.raises(SettingsError, match="not the one that the database is under"):
        site.imports([*OTHERS, "CB-0099;Lê Văn Mới;Nam;05/03/1961;T4;;;;;"], VISITS, partial=True)
    if not own:  # nor can it write in the audit what it did
        with (
            pytest.raises(SettingsError, match="that it goes on under"),
            write_transaction(site.engine) as connection,
        ):
            audit.append(connection, at=now(), actor="old", action="tested")
    assert "other-key" in {one.code for one in current_problems(site.adapter, now())}


def test_a_plan_that_was_read_before_is_not_written_after(site: Renamed) -> None:
    """A worker of the old key planned while the key was changed."""
    site.whole("T4")
    site.sync()
    old = site.adapter
    site.change()
    with pytest.raises(SettingsError), write_transaction(site.engine) as connection:
        old.require_its_key(connection)


def test_services_stop_it(site: Renamed) -> None:
    site.whole("T4")
    with write_transaction(site.engine) as connection:
        connection.execute(
            tables.worker.insert().values(
                id="w", host="may-1", pid=7, version="1", started_at=now(), seen_at=now()
            )
        )
    with pytest.raises(UsageError, match="process 7 on may-1"):
        site.change()


@pytest.mark.parametrize(
    ("key", "told"), [("a" * 64, "can be guessed"), (OLD, "in use"), ("short", "too short")]
)
def test_which_key_is_not_taken(site: Renamed, key: str, told: str) -> None:
    site.whole("T4")
    with pytest.raises((UsageError, SettingsError), match=told):
        site.change(key)


def test_who_was_erased_stays_out_under_every_key(site: Renamed) -> None:
    site.whole("T4")
    site.sync()
    site.whole("T0", allow_deletions=True)
    was = site.erased()
    for key in (NEW, THIRD):
        site.change(key)
        assert site.erased().isdisjoint(was)  # the old key alone opens none of them
        assert len(site.erased()) == len(was)
        assert site.whole("T4").returning == 1
        assert site.imports([*OTHERS, person("T4", "CB-0999")], VISITS).refused_people == 1
    late = "CB-0050;Hà Thị Sau;Nữ;02/09/1951;{};;;;;"
    site.imports([*OTHERS, late.format("T4")], VISITS)
    site.imports([*OTHERS, late.format("T0")], VISITS, allow_deletions=True)
    assert site.imports([*OTHERS, late.format("T4")], VISITS).returning == 1
    report = site.whole("T4", admitted=(KEY,))
    assert report.kinds["cadre"].created == 1


def test_the_former_keys_are_not_in_the_database(site: Renamed) -> None:
    site.whole("T4")
    site.change()
    told = site.everything()
    factory = IdentityFactory(OLD.encode())
    assert OLD not in told
    assert factory._key.hex() not in told
    [former] = site.adapter.identities.formers
    assert former.mark == factory.mark


def test_what_is_withheld_is_said_of_the_same_people(site: Renamed) -> None:
    policy = site.folder / "mappings" / "disclosure.yaml"
    policy.write_text(policy.read_text("utf-8").replace("T4: full", "T4: hold"), "utf-8")
    site.whole("T4")
    run_sync(site.adapter, [HOSPITAL], now, lambda *_: None)
    with read_transaction(site.engine) as connection:
        before = connection.execute(COUNTED).scalar_one()
    assert before
    subjects = site.adapter.audit_subjects("CB-0001")
    site.change()
    assert site.adapter.audit_subjects("CB-0001")[1:] == subjects
    assert withheld.withheld_of_subject(site.engine, HOSPITAL, site.adapter.audit_subject("CB-0001"))
    run_sync(site.adapter, [HOSPITAL], now, lambda *_: None)
    with read_transaction(site.engine) as connection:
        after = connection.execute(COUNTED).scalar_one()
    assert after == before


def test_the_audit_holds_under_the_new_key_alone(site: Renamed) -> None:
    site.whole("T4")
    site.sync()
    site.change()
    site.whole("T3")
    site.sync()
    assert audit.check_chain(site.engine).broken is None
    assert site.adapter.remembered_head.trouble() == ""
    with read_transaction(site.engine) as connection:
        rows = connection.execute(select(audit.audit).order_by(audit.audit.c.seq)).all()
    [changed] = [one for one in rows if one.action == "identity-key.changed"]
    assert changed.actor == "test"
    site.change(THIRD)
    assert audit.check_chain(site.engine).broken is None


@pytest.mark.parametrize("forged", ["row", "seal", "head"])
def test_rows_under_the_old_key_cannot_be_changed_unnoticed(site: Renamed, forged: str) -> None:
    from integration.test_audit_keyed import _without_triggers

    site.whole("T4")
    site.sync()
    site.change()
    _without_triggers(site.engine)
    table = audit.audit
    with write_transaction(site.engine) as connection:
        if forged == "row":
            connection.execute(update(table).where(table.c.seq == 1).values(actor="nobody"))
        elif forged == "seal":
            connection.execute(
                update(table).where(table.c.action == "identity-key.changed").values(details="{}")
            )
        else:
            connection.execute(update(audit.audit_head).values(sealed_from=2))
    assert audit.check_chain(site.engine).broken is not None


def test_a_break_in_the_audit_is_not_sealed(site: Renamed) -> None:
    from integration.test_audit_keyed import _without_triggers

    site.whole("T4")
    site.sync()
    _without_triggers(site.engine)
    with write_transaction(site.engine) as connection:
        connection.execute(update(audit.audit).where(audit.audit.c.seq == 1).values(actor="nobody"))
    with pytest.raises(UsageError, match="does not hold"):
        site.change()
    site.use(OLD)
    assert under_lines(site, OLD)


def under_lines(site: Renamed, key: str) -> bool:
    made = IdentityFactory(key.encode()).of(HOSPITAL, "Patient", "cadre", "CB-0001")
    return bool(made == site.line().identity)


def test_a_result_that_names_the_old_identity_is_matched(site: Renamed) -> None:
    """The hospital wrote it before it got the new ones."""
    site.whole("T4")
    site.sync()
    old = site.identity("ServiceRequest", "referral", "REFERRAL-40")
    site.change()
    site.sync()
    answer = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Siêu âm"},
        "basedOn": [{"identifier": {"system": SYSTEM, "value": old}}],
        "conclusion": "bình thường",
    }
    site.push(answer)
    assert [one.state for one in site.adapter.inbox.items(hospital=HOSPITAL)] == ["applied"]


def test_a_weak_key_in_use_goes_on_and_is_a_problem(site: Renamed) -> None:
    (site.folder / "identity.key").write_text("changeme-and-so-on-and-on")
    assert "no-key" in {one.code for one in current_problems(site.adapter, now())}
    weak = IdentityFactory(b"changeme-and-so-on-and-on")
    site.adapter.identities = weak  # an older version took it
    site.whole("T4")
    site.sync()
    site.adapter = Adapter(site.adapter.settings, site.engine)
    site.whole("T3")
    site.sync()
    [problem] = [one for one in current_problems(site.adapter, now()) if one.code == "weak-key"]
    assert problem.command == "adapter identity-key"
    site.change()
    site.sync()
    assert {one.code for one in current_problems(site.adapter, now())} & {"weak-key", "no-key"} == set()
    assert under(site, NEW)


def test_story_of_a_leaked_key(tmp_path: Path) -> None:
    """By the commands alone, with processes."""
    with Centre(tmp_path / "centre") as centre:
        centre.import_sample(cadres=6)
        centre.start_hospital("bv-tinh")
        centre.start_hospital("bv-trung-uong")
        centre.put_server_cards(CAPABLE_SERVER)
        centre.run("sync")
        assert centre.run_json("identity-key")["readable"]
        centre.run("identity-key", "new", str(centre.folder / "second.key"))
        assert (centre.folder / "second.key").stat().st_mode & 0o777 == 0o600
        assert centre.attempt("identity-key", "new", str(centre.folder / "second.key")).returncode == 2
        shown = centre.run_json("identity-key", "change", "file:second.key")
        assert not shown["done"]
        rewritten = {one["hospital"]: one["rewritten"] for one in shown["change"]["hospitals"]}
        assert rewritten["bv-tinh"] > 100
        assert centre.run_json("identity-key")["changed"] is False
        centre.run("identity-key", "change", "file:second.key", "--yes")
        assert centre.attempt("sync").returncode == 2  # the settings still name the old one
        text = centre.settings_file.read_text("utf-8")
        centre.settings_file.write_text(text.replace("file:identity.key", "file:second.key"), "utf-8")
        (centre.folder / "identity.key").unlink()
        assert centre.run_json("identity-key", code=1)["former"] == rewritten
        centre.run("sync")
        assert centre.run_json("identity-key")["former"] == dict.fromkeys(rewritten, 0)
        centre.run("reconcile", "bv-tinh")  # ends with 0: it holds exactly what it should
        assert centre.run_json("audit", "verify")["chain"]["broken"] is None
