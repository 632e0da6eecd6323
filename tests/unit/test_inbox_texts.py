"""Every state and reason of the inbox can be said in both languages."""

import pytest

from adapter.inbox.matching import REASONS
from adapter.inbox.tables import STATES
from adapter.texts import LANGUAGES, catalogue


@pytest.mark.parametrize("language", LANGUAGES)
def test_states_and_reasons_have_texts(language: str) -> None:
    reasons = (*REASONS, "older-status", "older-issue", "overtaken", "context")
    wanted = {f"inbox.reason_{code.replace('-', '_')}" for code in reasons}
    wanted |= {f"inbox.state_{state}" for state in STATES}
    there = {key for key in catalogue(language) if key.startswith(("inbox.reason_", "inbox.state_"))}
    assert there == wanted
