"""What measuring a good server says of it."""

from adapter.ledger.server_cards.card import ServerCard

__all__ = ["CAPABLE_SERVER"]

CAPABLE_SERVER = ServerCard(
    transaction=True,
    atomic=True,
    batch=True,
    urn_references=True,
    paired=True,
    names_ids=True,
    max_entries=1000,
    conditional_create=True,
    conditional_update=True,
    encoded_urls=True,
    if_match=True,
    search_by_identifier=True,
    search_is_fresh=True,
    search_several=True,
)
"""The card of a server that can all that the adapter uses; others are made with `dataclasses.replace`."""
