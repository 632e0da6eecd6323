"""How a server is written to, as a function of its card; and what goes into the next Bundle."""

from dataclasses import replace
from typing import Any

import pytest
from fakes import GOOD

from adapter.delivery.strategy import FEW, Item, halves, in_parts, manner, next_batch
from adapter.fhir.bundle import Write
from adapter.ledger.card import UNKNOWN, Card


def of(card: Card, max_entries: int = 50) -> Any:
    return manner(card, max_entries=max_entries, max_bytes=1_000_000)


@pytest.mark.parametrize(
    ("card", "form", "together", "conditional", "proven"),
    [
        (GOOD, "transaction", True, True, True),
        (UNKNOWN, "batch", False, False, False),
        (replace(GOOD, atomic=False), "batch", False, True, True),
        (replace(GOOD, atomic=None), "batch", False, True, True),
        (replace(GOOD, atomic=False, batch=False), "transaction", False, True, True),
        (replace(GOOD, atomic=False, batch=None), "transaction", False, True, True),
        (replace(GOOD, urn_references=False), "transaction", False, True, True),
        (replace(GOOD, urn_references=None), "transaction", False, True, True),
        (replace(GOOD, paired=None), "transaction", False, True, True),
        (replace(GOOD, paired=False), "single", False, True, True),
        (replace(GOOD, transaction=False), "batch", False, True, True),
        (replace(GOOD, transaction=False, batch=False), "single", False, True, True),
        (replace(GOOD, transaction=False, batch=None), "batch", False, True, False),
        (replace(GOOD, conditional_update=False), "transaction", True, False, True),
        (replace(GOOD, conditional_update=None), "transaction", True, False, True),
        (replace(GOOD, encoded_urls=False), "transaction", True, False, True),
        (replace(GOOD, encoded_urls=None, paired=False), "single", False, True, True),
    ],
)
def test_only_what_is_proven_is_relied_on(
    card: Card, form: str, together: bool, conditional: bool, proven: bool
) -> None:
    found = of(card)
    assert (found.form, found.together, found.conditional, found.proven) == (
        form,
        together,
        conditional,
        proven,
    )


def test_the_smallest_limit_holds() -> None:
    assert of(GOOD).max_entries == 50
    assert of(replace(GOOD, max_entries=25)).max_entries == 25
    assert of(replace(GOOD, max_entries=None)).max_entries == FEW
    assert of(UNKNOWN).max_entries == FEW
    assert of(UNKNOWN, max_entries=3).max_entries == 3
    assert of(replace(GOOD, paired=False)).max_entries == 1
    assert manner(replace(GOOD, max_bytes=500), max_entries=50, max_bytes=900).max_bytes == 500
    assert of(GOOD).at_most(0).max_entries == 1


def test_a_create_is_guarded_and_an_update_checked_unless_the_server_is_known_not_to_read_that() -> None:
    item = Item("Patient", "a", 0, b"{}", ())
    assert of(UNKNOWN).write(item, None, None) == Write("Patient", "a", b"{}", method="POST", guarded=True)
    careless = of(replace(GOOD, conditional_update=False, conditional_create=False, if_match=False))
    assert careless.write(item, None, None).guarded is False
    assert careless.write(item, "7", 'W/"1"').etag is None
    assert of(UNKNOWN).write(item, "7", 'W/"1"').etag == 'W/"1"'
    assert of(GOOD).write(item, None, None) == Write("Patient", "a", b"{}")


def test_searches_ask_for_one_where_several_are_measured_not_to_work() -> None:
    assert of(UNKNOWN).searched == 20
    assert of(GOOD).searched == 20
    assert of(replace(GOOD, search_several=False)).searched == 1
    assert of(replace(GOOD, paging=False)).searched == 8
    assert of(replace(GOOD, search_several=None)).searched == 1


PATIENT = Item("Patient", "p", 0, b"{}", ())
VISIT = Item("Encounter", "v", 1, b"{}", (("Patient", "p"),))
VALUE = Item("Observation", "o", 2, b"{}", (("Patient", "p"), ("Encounter", "v")))


def batches(together: bool) -> list[list[str]]:
    items, known, found = [VALUE, PATIENT, VISIT], set(), []
    while True:
        batch, waiting = next_batch(items, known, max_entries=9, max_bytes=10**6, together=together)
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
    items = [Item("Patient", str(number), 0, b"{}", ()) for number in range(5)]
    names = [[item.identity for item in part] for part in halves(items, None)]
    assert names == [["0", "1", "2"], ["3", "4"]]
    assert [[i.identity for i in part] for part in halves(items, 3)] == [["0", "1", "2", "4"], ["3"]]
    assert [[i.identity for i in part] for part in halves(items, 9)] == names
    assert [[i.identity for i in part] for part in halves(items[:2], 1)] == [["0"], ["1"]]


def test_deletions_go_by_rank_where_a_server_may_take_any_order() -> None:
    writes = [Write("Observation", "o", method="DELETE"), Write("Observation", "q", method="DELETE")]
    writes.append(Write("Patient", "p", method="DELETE"))
    ranks = {"o": 2, "q": 2, "p": 0}
    assert [len(part) for part in in_parts(writes, ranks, of(GOOD))] == [3]
    assert [len(part) for part in in_parts(writes, ranks, of(UNKNOWN))] == [2, 1]
    assert [len(part) for part in in_parts(writes, ranks, of(GOOD, max_entries=2))] == [2, 1]
