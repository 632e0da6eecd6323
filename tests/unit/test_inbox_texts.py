"""Every reason of the inbox can be said in both languages."""

import pytest

from adapter.inbox.matching import UNMATCHED_REASONS
from adapter.inbox.ordering import OLDER
from adapter.texts import LANGUAGES, catalogue


@pytest.mark.parametrize("language", LANGUAGES)
def test_reasons_have_texts(language: str) -> None:
    texts = catalogue(language)
    reasons = (*UNMATCHED_REASONS, *OLDER, "repeated", "context")
    assert [code for code in reasons if f"inbox.{code}" not in texts] == []
