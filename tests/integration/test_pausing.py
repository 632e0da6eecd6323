"""Long work gives way between its parts, and last just before it writes."""

from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine

from adapter.repository import bundle_processing
from adapter.repository.pausing import pause
from adapter.repository.repository import Repository


def test_a_bundle_gives_way_after_each_entry_and_before_its_transaction(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    begin = bundle_processing.write_transaction

    @contextmanager
    def noted(of: Engine) -> Any:
        order.append("write")
        with begin(of) as connection:
            yield connection

    monkeypatch.setattr(bundle_processing, "write_transaction", noted)
    resource = {"resourceType": "Basic", "code": {"text": "x"}}
    entries = [{"resource": resource, "request": {"method": "POST", "url": "Basic"}} for _ in range(3)]
    token = pause.set(lambda: order.append("pause"))
    try:
        Repository(engine).bundle(
            "bv-a",
            {"resourceType": "Bundle", "type": "transaction", "entry": entries},
            base="http://x/fhir",
        )
    finally:
        pause.reset(token)
    assert order == ["pause"] * 6 + ["write"], "each was checked, and each was prepared"
