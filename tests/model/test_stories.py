"""Stories that the model must not forget: each once ended badly, or would without one guard."""

from collections.abc import Iterator

import pytest
from model.test_ledger_model import NUMBERS, LedgerModel
from model.workers import LEASE, Worker


@pytest.fixture
def model() -> Iterator[LedgerModel]:
    model = LedgerModel()
    model.begin(None)
    _worker(model, 0, to_the_end=True)
    assert model.hospital.resources
    yield model
    model.teardown()  # all must come right in the end


def _worker(model: LedgerModel, which: int, *, to_the_end: bool) -> Worker:
    worker = Worker(model.processes[which], model.clock, model.serve, "none", 50)
    while to_the_end and not worker.done:
        worker.go_on("none")
    return worker


def test_a_worker_that_was_held_up_deletes_nothing_that_is_wished_for_again(model: LedgerModel) -> None:
    model.forget("c1")
    held_up = _worker(model, 0, to_the_end=False)  # it knows what is there, and is about to delete it
    assert not held_up.done
    _worker(model, 1, to_the_end=True)  # the next one sees the lease
    model.time_passes(LEASE + 1)
    model.wish("c1", NUMBERS, change=True)
    for _ in range(3):
        _worker(model, 1, to_the_end=True)
        model.time_passes(LEASE + 1)
    before = model.hospital.plainly()
    held_up.go_on("none")
    while not held_up.done:
        held_up.go_on("none")
    assert model.hospital.plainly() == before
