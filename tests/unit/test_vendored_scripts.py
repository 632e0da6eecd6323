"""What others wrote and is sent to browsers is byte for byte what they published: its digest stands beside it
(of htmx.org 4.0.1 in npm, `dist/htmx.min.js`), with its licence.
"""

import hashlib
from pathlib import Path

import pytest

from adapter.web.console import rendering

STATIC = Path(rendering.__file__).parent / "static"
OURS = {"console.js"}
VENDORED = sorted(one for one in STATIC.glob("*.js") if one.name not in OURS)


def test_there_is_a_script_of_others() -> None:
    assert [one.name for one in VENDORED] == ["htmx-4.0.1.min.js"]


@pytest.mark.parametrize("script", VENDORED, ids=lambda one: one.name)
def test_it_is_what_was_published(script: Path) -> None:
    said, name = script.with_name(f"{script.name}.sha256").read_text().split()
    assert name == script.name
    assert hashlib.sha256(script.read_bytes()).hexdigest() == said
    assert script.with_name(script.name.removesuffix(".min.js") + ".LICENSE").read_text().strip()


@pytest.mark.parametrize("script", VENDORED, ids=lambda one: one.name)
def test_what_stands_beside_it_is_not_sent(script: Path) -> None:
    assert rendering.static_file(script.name) is not None
    assert rendering.static_file(f"{script.name}.sha256") is None
