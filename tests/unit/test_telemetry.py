"""The sieve: whatever is logged, only listed fields and no message of an exception come out."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from adapter.telemetry import DROPPED_FIELDS, LOGGABLE_FIELDS, configure_logging, get_logger
from adapter.texts import OBEYED

SECRET = "Nguyễn Văn An 024055000111"


@pytest.fixture
def lines() -> Iterator[Any]:
    stream = io.StringIO()
    configure_logging(level="info", json=True, stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    configure_logging(level="warning")


def test_listed_fields_come_out(lines: Any) -> None:
    get_logger("adapter.x").info("sync.done", hospital="bv-tinh", delivered=12, seconds=1.5)
    [line] = lines()
    assert (line["event"], line["hospital"], line["delivered"]) == ("sync.done", "bv-tinh", 12)
    assert (line["module"], line["level"]) == ("adapter.x", "info")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_line_of_the_log_moves_nothing(*, as_json: bool) -> None:
    stream = io.StringIO()
    configure_logging(level="info", json=as_json, stream=stream)
    get_logger("adapter.x").info("sync.done", hospital="bv\x1b[31m\x9b\u202e\n2026 sync.done", reason="a\rb")
    configure_logging(level="warning")
    assert len(stream.getvalue().splitlines()) == 1
    assert not OBEYED.search(stream.getvalue())


def test_other_fields_are_dropped_and_counted(lines: Any) -> None:
    before = DROPPED_FIELDS.labels(field="cadre_name")._value.get()
    get_logger("adapter.x").info("sync.done", cadre_name=SECRET, body={"name": SECRET})
    [line] = lines()
    assert SECRET not in json.dumps(line, ensure_ascii=False)
    assert set(line) <= LOGGABLE_FIELDS | {"event"}
    assert DROPPED_FIELDS.labels(field="cadre_name")._value.get() == before + 1


def test_sentences_are_no_events(lines: Any) -> None:
    get_logger("adapter.x").warning(f"cannot find {SECRET}")
    assert lines()[0]["event"] == "log.unnamed"


def test_objects_under_listed_names_become_their_type(lines: Any) -> None:
    get_logger("adapter.x").info("a.b", error=ValueError(SECRET), code=[SECRET], reason="a\nb" + "x" * 500)
    [line] = lines()
    assert (line["error"], line["code"]) == ("ValueError", "list")
    assert line["reason"].startswith("a bx")
    assert len(line["reason"]) == 200


def _fail() -> None:
    try:
        {}[SECRET]
    except KeyError as error:
        raise ValueError(f"bad value {SECRET}") from error


def test_exceptions_come_out_as_types_and_places(lines: Any) -> None:
    try:
        _fail()
    except ValueError:
        get_logger("adapter.x").exception("sync.failed")
    [line] = lines()
    assert line["errors"] == "ValueError < KeyError"
    assert "test_telemetry.py:" in line["where"]
    assert SECRET not in json.dumps(line, ensure_ascii=False)


def test_libraries_pass_the_same_sieve(lines: Any) -> None:
    try:
        _fail()
    except ValueError:
        logging.getLogger("sqlalchemy.pool").exception("could not write %s", SECRET)
    logging.getLogger("uvicorn.error").error("cannot bind %s", SECRET)
    found = lines()
    assert SECRET not in json.dumps(found, ensure_ascii=False)
    assert [line["module"] for line in found] == ["sqlalchemy.pool", "uvicorn.error"]
    assert "message" not in found[0]
    assert found[1]["message"] == "cannot bind %s"


def test_level_holds(lines: Any) -> None:
    get_logger("adapter.x").debug("a.b")
    assert lines() == []


def test_logs_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="info")
    get_logger("adapter.x").info("a.b", hospital="bv-tinh")
    configure_logging(level="warning")
    out = capsys.readouterr()
    assert out.out == ""
    assert "a.b" in out.err
    assert "bv-tinh" in out.err
