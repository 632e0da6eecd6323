"""Who somebody is, another's word: only what a provider of its own process says rightly is believed."""

import dataclasses
import time
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from oidc_provider import CLIENT, SECRET, Provider, oidc_provider

from adapter.authorization.identity_provider import IdentityProvider, PendingSignIn, SignInRefused
from adapter.authorization.remote_documents import KeysUnavailable, RemoteDocuments
from adapter.delivery.http.json_document import DocumentUnavailable, post_for_json
from adapter.pipeline.inbound.hospital_clients import fetch_keys

BACK = "http://127.0.0.1:8090/outside/answer"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with oidc_provider() as running:
        yield running


def asking(provider: Provider, *, client: str = CLIENT, secret: str = SECRET) -> IdentityProvider:
    def exchange(url: str, form: Mapping[str, str], login: tuple[str, str]) -> object:
        try:
            return post_for_json(url, form, login)
        except DocumentUnavailable as error:
            raise KeysUnavailable(error.why) from None

    documents = RemoteDocuments(time.monotonic, fetch_keys)
    return IdentityProvider(provider.issuer, client, lambda: secret, documents=documents, exchange=exchange)


def come_back(address: str) -> dict[str, str]:
    """What stands in the address to which the provider sends the browser back."""
    answer = httpx.get(address, follow_redirects=False, trust_env=False)
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(f"{BACK}?")
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def test_who_signs_in_there_is_known_here(provider: Provider) -> None:
    provider.does(subject="nguyen.van.a")
    asked, now = asking(provider), time.time()
    address, pending = asked.begin(BACK, now, account="lan")
    kept = PendingSignIn.read(pending.written())
    assert kept.account == "lan"
    sent = dict(parse_qsl(urlsplit(address).query))
    assert sent["scope"] == "openid", "no name, no mail: nothing that is not needed"
    assert pending.verifier not in address, "only its hash goes there"
    answered = come_back(address)
    assert asked.finish(kept, answered, BACK, now + 1) == (provider.issuer, "nguyen.van.a")
    with pytest.raises(SignInRefused, match="status-400"):
        asked.finish(kept, answered, BACK, now + 2)  # a code is good once


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("denied", "denied"),
        ("state", "state"),
        ("issuer", "issuer"),
        ("no-token", "no-token"),
        ("audience", "token"),
        ("nonce", "token"),
        ("token-issuer", "token"),
        ("expired", "token"),
        ("azp", "token"),
        ("signature", "token"),
        ("none", "algorithm"),
        ("no-subject", "subject"),
    ],
)
def test_what_a_provider_says_wrongly_signs_nobody_in(provider: Provider, wrong: str, why: str) -> None:
    provider.does(wrong=wrong)
    asked, now = asking(provider), time.time()
    address, pending = asked.begin(BACK, now)
    with pytest.raises(SignInRefused, match=f"^{why}$"):
        asked.finish(pending, come_back(address), BACK, now)


def test_only_the_browser_that_went_comes_back(provider: Provider) -> None:
    provider.does()
    asked, now = asking(provider), time.time()
    address, pending = asked.begin(BACK, now)
    answered = come_back(address)
    _, other = asked.begin(BACK, now)
    with pytest.raises(SignInRefused, match="state"):
        asked.finish(other, answered, BACK, now)
    stolen = dataclasses.replace(pending, verifier=other.verifier)
    with pytest.raises(SignInRefused, match="status-400"):
        asked.finish(stolen, answered, BACK, now)


def test_after_ten_minutes_one_begins_anew(provider: Provider) -> None:
    provider.does()
    asked, now = asking(provider), time.time()
    address, pending = asked.begin(BACK, now)
    with pytest.raises(SignInRefused, match="expired"):
        asked.finish(pending, come_back(address), BACK, now + 601)


def test_a_client_with_another_secret_gets_nothing(provider: Provider) -> None:
    provider.does()
    asked, now = asking(provider, secret="guessed"), time.time()
    address, pending = asked.begin(BACK, now)
    with pytest.raises(SignInRefused, match="status-401"):
        asked.finish(pending, come_back(address), BACK, now)


def test_a_provider_that_is_away_is_worth_asking_again() -> None:
    with pytest.raises(SignInRefused) as refused:
        asking(Provider("http://127.0.0.1:9")).begin(BACK, 0.0)
    assert refused.value.is_transient
