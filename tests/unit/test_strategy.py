"""How a server is written to, as a function of its card; and what goes into the next Bundle."""

from dataclasses import replace
from typing import Any

import pytest

from adapter.delivery.decisions.strategy import (
    SAFE_MAX_ENTRIES,
    OutboundResource,
    choose_strategy,
    next_bundle,
    split_refused,
    split_writes,
)
from adapter.fhir.bundle import Write
from adapter.ledger.server_cards.card import UNMEASURED, ServerCard
from adapter.testing import CAPABLE_SERVER


def of(card: ServerCard, max_entries: int = 50) -> Any:
    return choose_strategy(card, max_entries=max_entries, max_bytes=1_000_000)


@pytest.mark.parametrize(
    ("card", "form", "together", "conditional", "proven"),
    [
        (CAPABLE_SERVER, "transaction", True, True, True),
        (UNMEASURED, "batch", False, False, False),
        (replace(CAPABLE_SERVER, atomic=False), "batch", False, True, True),
        (replace(CAPABLE_SERVER, atomic=None), "batch", False, True, True),
        (replace(CAPABLE_SERVER, atomic=False, batch=False), "transaction", False, True, True),
        (replace(CAPABLE_SERVER, atomic=False, batch=None), "transaction", False, True, True),
        (replace(CAPABLE_SERVER, urn_references=False), "transaction", False, True, True),
        (replace(CAPABLE_SERVER, urn_references=None), "transaction", False, True, True),
        (replace(CAPABLE_SERVER, paired=None), "transaction", False, True, True),
        (replace(CAPABLE_SERVER, paired=False), "single", False, True, True),
        (replace(CAPABLE_SERVER, transaction=False), "batch", False, True, True),
        (replace(CAPABLE_SERVER, transaction=False, batch=False), "single", False, True, True),
        (replace(CAPABLE_SERVER, transaction=False, batch=None), "batch", False, True, False),
        (replace(CAPABLE_SERVER, conditional_update=False), "transaction", True, False, True),
        (replace(CAPABLE_SERVER, conditional_update=None), "transaction", True, False, True),
        (replace(CAPABLE_SERVER, encoded_urls=False), "transaction", True, False, True),
        (replace(CAPABLE_SERVER, encoded_urls=None, paired=False), "single", False, True, True),
    ],
)
def test_only_what_is_proven_is_relied_on(
    card: ServerCard, form: str, together: bool, conditional: bool, proven: bool
) -> None:
    found = of(card)
    assert (found.form, found.cross_references, found.conditional_update, found.proven) == (
        form,
        together,
        conditional,
        proven,
    )


def test_the_smallest_limit_holds() -> None:
    assert of(CAPABLE_SERVER).max_entries == 50
    assert of(replace(CAPABLE_SERVER, max_entries=25)).max_entries == 25
    assert of(replace(CAPABLE_SERVER, max_entries=None)).max_entries == SAFE_MAX_ENTRIES
    assert of(UNMEASURED).max_entries == SAFE_MAX_ENTRIES
    assert of(UNMEASURED, max_entries=3).max_entries == 3
    assert of(replace(CAPABLE_SERVER, paired=False)).max_entries == 1
    assert (
        choose_strategy(replace(CAPABLE_SERVER, max_bytes=500), max_entries=50, max_bytes=900).max_bytes
        == 500
    )
    assert of(CAPABLE_SERVER).at_most(0).max_entries == 1


def test_a_create_is_guarded_and_an_update_checked_unless_the_server_is_known_not_to_read_that() -> None:
    item = OutboundResource("Patient", "a", 0, b"{}", ())
    assert of(UNMEASURED).write(item, None, None) == Write(
        "Patient", "a", b"{}", method="POST", if_none_exist=True
    )
    careless = of(replace(CAPABLE_SERVER, conditional_update=False, conditional_create=False, if_match=False))
    assert careless.write(item, None, None).if_none_exist is False
    assert careless.write(item, "7", 'W/"1"').etag is None
    assert of(UNMEASURED).write(item, "7", 'W/"1"').etag == 'W/"1"'
    assert of(CAPABLE_SERVER).write(item, None, None) == Write("Patient", "a", b"{}")


def test_searches_ask_for_one_where_several_are_measured_not_to_work() -> None:
    assert of(UNMEASURED).identifiers_per_search == 20
    assert of(CAPABLE_SERVER).identifiers_per_search == 20
    assert of(replace(CAPABLE_SERVER, search_several=False)).identifiers_per_search == 1
    assert of(replace(CAPABLE_SERVER, paging=False)).identifiers_per_search == 8
    assert of(replace(CAPABLE_SERVER, search_several=None)).identifiers_per_search == 1


PATIENT = OutboundResource("Patient", "p", 0, b"{}", ())
VISIT = OutboundResource("Encounter", "v", 1, b"{}", (("Patient", "p"),))
VALUE = OutboundResource("Observation", "o", 2, b"{}", (("Patient", "p"), ("Encounter", "v")))


def batches(together: bool) -> list[list[str]]:
    items, known, found = [VALUE, PATIENT, VISIT], set(), []
    while True:
        batch, waiting = next_bundle(items, known, max_entries=9, max_bytes=10**6, cross_references=together)
        assert not waiting
        if not batch:
            return found
        found.append([item.identity for item in batch])
        known |= {(item.type, item.identity) for item in batch}
        items = [item for item in items if item not in batch]


def test_in_layers_no_entry_refers_to_another_of_its_bundle() -> None:
    assert batches(together=True) == [["p", "v", "o"]]
    assert batches(together=False) == [["p"], ["v"], ["o"]]


def test_a_refused_bundle_is_cut_in_halves_or_without_the_one_it_names() -> None:
    items = [OutboundResource("Patient", str(number), 0, b"{}", ()) for number in range(5)]
    names = [[item.identity for item in part] for part in split_refused(items, None)]
    assert names == [["0", "1", "2"], ["3", "4"]]
    assert [[i.identity for i in part] for part in split_refused(items, 3)] == [["0", "1", "2", "4"], ["3"]]
    assert [[i.identity for i in part] for part in split_refused(items, 9)] == names
    assert [[i.identity for i in part] for part in split_refused(items[:2], 1)] == [["0"], ["1"]]


def test_deletions_go_by_rank_where_a_server_may_take_any_order() -> None:
    writes = [Write("Observation", "o", method="DELETE"), Write("Observation", "q", method="DELETE")]
    writes.append(Write("Patient", "p", method="DELETE"))
    ranks = {"o": 2, "q": 2, "p": 0}
    assert [len(part) for part in split_writes(writes, ranks, of(CAPABLE_SERVER))] == [3]
    assert [len(part) for part in split_writes(writes, ranks, of(UNMEASURED))] == [2, 1]
    assert [len(part) for part in split_writes(writes, ranks, of(CAPABLE_SERVER, max_entries=2))] == [2, 1]


@pytest.mark.parametrize(
    ("changes", "size", "form"),
    [
        ({"paired": False, "max_single_bytes": 500, "max_bytes": 9000}, 400, "single"),
        ({"paired": False, "max_single_bytes": 500, "max_bytes": 9000}, 501, "transaction"),
        ({"paired": False, "max_single_bytes": 500, "max_bytes": 9000}, 8900, "single"),  # the server decides
        ({"paired": False, "max_single_bytes": None, "max_bytes": 9000}, 501, "single"),
        ({"paired": False, "max_single_bytes": 500, "max_bytes": None}, 501, "single"),
        ({"paired": False, "max_single_bytes": 500, "max_bytes": 9000, "encoded_urls": False}, 501, "single"),
        (
            {"paired": False, "transaction": False, "max_single_bytes": 500, "max_bytes": 9000},
            501,
            "batch",
        ),
        (
            {"transaction": False, "batch": False, "max_single_bytes": 500, "max_bytes": 9000},
            501,
            "single",
        ),
        ({"max_single_bytes": 500, "max_bytes": 9000}, 501, "transaction"),
        ({"max_single_bytes": 9000, "max_bytes": 500}, 501, "single"),
        ({"max_single_bytes": 9000, "max_bytes": 500}, 100, "transaction"),
        ({"max_single_bytes": 9000, "max_bytes": 500}, 9001, "transaction"),
        ({"max_single_bytes": None, "max_bytes": 500}, 501, "transaction"),
    ],
)
def test_a_large_resource_goes_in_the_way_that_takes_it(
    changes: dict[str, Any], size: int, form: str
) -> None:
    assert of(replace(CAPABLE_SERVER, **changes)).for_body(size).form == form


def test_by_itself_to_tell_what_is_wrong_means_by_itself() -> None:
    card = replace(CAPABLE_SERVER, paired=False, max_single_bytes=500, max_bytes=9000)
    assert of(card).singly().for_body(501).form == "single"
