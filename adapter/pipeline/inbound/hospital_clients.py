"""Hospitals' own clients as the settings register them."""

import time

from adapter.authorization.clients import HospitalClients, token_url
from adapter.authorization.remote_documents import KeysUnavailable
from adapter.delivery.http.json_document import DocumentUnavailable, fetch_json
from adapter.pipeline.application import Adapter

__all__ = ["fetch_keys", "hospital_clients"]


def hospital_clients(adapter: Adapter) -> HospitalClients:
    """Who may ask for tokens: nobody, where it is not said under which address hospitals see us."""
    settings = adapter.settings
    return HospitalClients(
        adapter.engine,
        {name: hospital.client for name, hospital in settings.hospitals.items()},
        folder=settings.folder,
        token_url=token_url(settings.public_url) if settings.public_url else None,
        monotonic=time.monotonic,
        fetch=fetch_keys,
    )


def fetch_keys(url: str) -> object:
    """The JSON at a URL of a client. Raises KeysUnavailable."""
    try:
        return fetch_json(url)
    except DocumentUnavailable as error:
        raise KeysUnavailable(error.why, is_transient=error.is_transient) from None
