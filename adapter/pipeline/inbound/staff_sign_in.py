"""The centre's own sign-in as the settings name it, reached over the network."""

import time
from collections.abc import Mapping

from adapter.authorization.identity_provider import IdentityProvider
from adapter.authorization.remote_documents import KeysUnavailable, RemoteDocuments
from adapter.delivery.http.json_document import DocumentUnavailable, post_for_json
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.hospital_clients import fetch_keys

__all__ = ["identity_provider"]


def identity_provider(adapter: Adapter) -> IdentityProvider | None:
    """None where the settings have none."""
    section = adapter.settings.console.oidc
    if section is None:
        return None
    return IdentityProvider(
        section.issuer,
        section.client_id,
        lambda: adapter.settings.secret(section.client_secret).get_secret_value(),
        documents=RemoteDocuments(time.monotonic, fetch_keys),
        exchange=_exchange,
    )


def _exchange(url: str, form: Mapping[str, str], login: tuple[str, str]) -> object:
    try:
        return post_for_json(url, form, login)
    except DocumentUnavailable as error:
        raise KeysUnavailable(error.why, is_transient=error.is_transient) from None
