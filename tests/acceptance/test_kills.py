"""Nothing that was acknowledged is lost, and nothing is half there, when the endpoint is killed in the middle
of its interactions; `make kills` does it 200 times.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from endpoint_centre import centre_of_one
from kill_checks import Stored, wrong_in_the_whole
from kill_requests import KINDS, Caller
from killing import HOSPITAL, run_kills
from sqlalchemy import delete, select

from adapter.database import open_database, write_transaction
from adapter.hospital_tokens import issue_token
from adapter.inbox.quarantine.tables import refused_request
from adapter.inbox.tables import inbox_item
from adapter.repository.tables import repository_index, repository_resource

NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
KILLS = int(os.environ.get("ADAPTER_KILLS", "5"))


@pytest.mark.parametrize("system", ["sqlite", "postgresql"])
def test_acknowledged_is_there_and_unacknowledged_is_whole_or_absent(
    system: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if system == "postgresql" else None
    figures = run_kills(tmp_path / "centre", url, KILLS, seed=KILLS)
    print(figures)
    assert figures.wrong == []
    assert figures.aimed.total() == KILLS
    assert figures.answered.total() > KILLS
    assert figures.whole.total() + figures.absent.total() > 0, "no request was under way"
    assert 2 * len(KINDS) > KILLS or all(figures.aimed[kind] for kind in KINDS)


def test_the_checks_find_what_is_lost_doubled_or_half_there(tmp_path: Path) -> None:
    with centre_of_one(tmp_path, f"sqlite:///{tmp_path / 'centre.db'}") as centre:
        engine = open_database(centre.settings().database_url)
        caller = Caller(centre.port, issue_token(engine, HOSPITAL, NOW, by="test"), "one")
        centre.start_endpoint()
        create = caller.attempt("create")
        assert caller.send(create) == 201
        assert Stored(engine, HOSPITAL).look(caller, [create]) == ([], [])
        patch = caller.attempt("patch")
        assert caller.send(patch) == 200
        assert Stored(engine, HOSPITAL).look(caller, [patch]) == ([], [])
        sent = [caller.attempt(kind) for kind in ("transaction", "document", "refused create")]
        assert [caller.send(one) for one in sent] == [200, 200, 400]
        assert Stored(engine, HOSPITAL).look(caller, sent) == ([], [])
        centre.wait_until_matched()
        assert centre.stop("serve") == 0
    assert wrong_in_the_whole(engine, HOSPITAL, caller.held) == []
    transaction, _, refused = sent
    [number], [first, *_] = create.parts, transaction.parts
    table = repository_resource

    transaction.status = None  # nobody heard of it: it is there whole
    assert Stored(engine, HOSPITAL).look(caller, [transaction]) == ([], ["transaction"])
    caller.held[first].sure = None
    with write_transaction(engine) as connection:
        connection.execute(delete(table).where(table.c.id == caller.held[first].id))
    [half] = Stored(engine, HOSPITAL).look(caller, [transaction])[0]
    assert "a part is there" in half
    transaction.status = 200
    caller.held[first].sure = transaction.parts[first][1]
    [lost] = Stored(engine, HOSPITAL).look(caller, [transaction])[0]
    assert lost.endswith(f"{first}: lost")

    with write_transaction(engine) as connection:
        of_it = connection.execute(select(table).where(table.c.id == caller.held[number].id)).mappings().one()
        connection.execute(table.insert(), {**of_it, "id": "twice"})
        index = repository_index
        rows = connection.execute(select(index).where(index.c.id == of_it["id"])).mappings().all()
        connection.execute(index.insert(), [{**row, "id": "twice"} for row in rows])
        connection.execute(delete(inbox_item).where(inbox_item.c.resource_id == caller.held[number].id))
        connection.execute(delete(refused_request))
    wrong = Stored(engine, HOSPITAL).look(caller, [create, refused])[0]
    assert any(one.endswith(f"{number}: there 2 times") for one in wrong)
    assert any("refused create: answered 400, and not kept" in one for one in wrong)
    whole = wrong_in_the_whole(engine, HOSPITAL, caller.held)
    assert {one.partition(":")[0] for one in whole} >= {"versions and items differ", number, first}
    engine.dispose()
