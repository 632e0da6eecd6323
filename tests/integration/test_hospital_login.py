"""How a hospital's server is reached: every way to log in, over real HTTP and TLS; where an address leads."""

import base64
import gzip
import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from integration.test_delivery import NAME, Site, family
from integration.test_doctor import _certificate

from adapter.database import open_database
from adapter.delivery.http.authentication import ClientCredentialsAuth
from adapter.delivery.http.client import HospitalClient, HttpResponse, HttpResult, NoResponse, _origin
from adapter.errors import SettingsError
from adapter.insights.problems import HospitalFacts, ProblemFacts, find_problems
from adapter.ledger.schema.states import EntryState
from adapter.pipeline.hospital_client import hospital_client
from adapter.settings import AlarmSettings, load_settings
from adapter.testing import answers, serving

BUNDLE = {"resourceType": "Bundle", "type": "searchset", "entry": []}


class Server:
    """A FHIR server, and a token endpoint beside it, that remember what they were asked."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.granted = 0
        self.told: dict[str, Any] = {"expires_in": 3600}
        self.accepts: str | None = None  # the Authorization that it takes; None: any
        self.says: dict[str, tuple[int, dict[str, str], bytes]] = {}  # by path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = (await receive()).get("body", b"")
        self.seen.append((scope["method"], scope["path"], headers, body))
        status, more, content = self._answer(scope["path"], headers)
        head = [(name.encode(), value.encode()) for name, value in more.items()]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": content})

    def _answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if path in self.says:
            return self.says[path]
        if path == "/token":
            self.granted += 1
            given = {"access_token": f"granted-{self.granted}", "token_type": "Bearer", **self.told}
            return 200, {"content-type": "application/json"}, json.dumps(given).encode()
        if self.accepts not in (None, headers.get("authorization")):
            return 401, {}, b""
        return 200, {"content-type": "application/fhir+json"}, json.dumps(BUNDLE).encode()

    def asked(self, path: str) -> list[dict[str, str]]:
        return [headers for _, where, headers, _ in self.seen if where == path]


@pytest.fixture
def server() -> Server:
    return Server()


def status(reply: HttpResult) -> object:
    return reply.status if isinstance(reply, HttpResponse) else reply


@contextmanager
def client_of(folder: Path, base: str, more: str = "") -> Iterator[HospitalClient]:
    """The client that the settings file makes, as `adapter sync` has it."""
    (folder / "adapter.toml").write_text(
        f'[hospitals.bv]\ndisplay = "BV"\nlevel = "central"\nbase_url = "{base}"\n{more}', "utf-8"
    )
    with hospital_client(load_settings(folder / "adapter.toml"), "bv") as client:
        yield client


# -- logging in --------------------------------------------------------------------------


def test_basic_authentication(server: Server, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("mật khẩu: dài\n", "utf-8")
    with serving(server) as base:
        more = '[hospitals.bv.auth]\nbasic = { user = "centre", password = "file:password" }\n'
        with client_of(tmp_path, f"{base}/fhir", more) as client:
            assert status(client.get("Patient")) == 200
    scheme, _, pair = server.asked("/fhir/Patient")[0]["authorization"].partition(" ")
    assert (scheme, base64.b64decode(pair).decode()) == ("Basic", "centre:mật khẩu: dài")


@pytest.mark.parametrize("method", ["basic", "post"])
def test_client_credentials_fetch_one_token_and_use_it(server: Server, tmp_path: Path, method: str) -> None:
    (tmp_path / "secret").write_text("s:e+c r", "utf-8")
    with serving(server) as base:
        more = (
            f'[hospitals.bv.auth.oauth2]\ntoken_url = "{base}/token"\nclient_id = "centre 1"\n'
            f'client_secret = "file:secret"\nscope = "system/*.cruds"\nmethod = "{method}"\n'
        )
        with client_of(tmp_path, f"{base}/fhir", more) as client:
            assert [status(client.get("Patient")) for _ in range(3)] == [200] * 3
    assert {one["authorization"] for one in server.asked("/fhir/Patient")} == {"Bearer granted-1"}
    [(_, _, headers, body)] = [one for one in server.seen if one[1] == "/token"]
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    assert (form["grant_type"], form["scope"]) == ("client_credentials", "system/*.cruds")
    shown = base64.b64decode(headers.get("authorization", "").removeprefix("Basic ")).decode()
    if method == "basic":
        assert (shown, "client_secret" in form) == ("centre+1:s%3Ae%2Bc+r", False)
    else:
        assert (shown, form["client_id"], form["client_secret"]) == ("", "centre 1", "s:e+c r")


def credentials(base: str, now: list[float], **more: Any) -> HospitalClient:
    auth = ClientCredentialsAuth(f"{base}/token", "centre", "secret", clock=lambda: now[0], **more)
    return HospitalClient(f"{base}/fhir", auth=auth, sleep=lambda _seconds: None)


@pytest.mark.parametrize(
    ("told", "still", "renewed"),
    [
        ({"expires_in": 3600}, 3500, 3571),
        ({"expires_in": "600"}, 569, 571),
        ({}, 299, 301),
        ({"expires_in": "nan"}, 299, 301),
        ({"expires_in": 10**400}, 299, 301),
    ],
    ids=["an hour", "as text", "not told", "no number", "for ever"],
)
def test_a_token_is_renewed_before_it_ends(
    server: Server, told: dict[str, Any], still: float, renewed: float
) -> None:
    server.told, now = told, [0.0]
    with serving(server) as base, credentials(base, now) as client:
        for moment in (0.0, still, renewed):
            now[0] = moment
            client.get("Patient")
    sent = [one["authorization"] for one in server.asked("/fhir/Patient")]
    assert sent == ["Bearer granted-1", "Bearer granted-1", "Bearer granted-2"]


def test_a_token_that_was_refused_before_its_time_is_not_used_again(server: Server) -> None:
    server.accepts = "Bearer granted-2"
    with serving(server) as base, credentials(base, [0.0]) as client:
        assert [status(client.get("Patient")) for _ in range(3)] == [401, 200, 200]
    assert server.granted == 2


@pytest.mark.parametrize(
    "answer",
    [
        (401, {}, b'{"error":"invalid_client"}'),
        (400, {}, b'{"error":"invalid_scope"}'),
        (200, {"content-type": "text/html"}, b"<h1>log in</h1>"),
        (200, {}, b'{"token_type":"Bearer"}'),
        (200, {}, b'{"access_token":null}'),
        (200, {}, b'{"access_token":""}'),
        (200, {}, b'["access_token"]'),
        (200, {}, b'{"access_token":"a\\r\\nX-Other: 1"}'),
        (200, {}, b'{"access_token":"' + b"a" * 200_000 + b'"}'),
        (302, {"location": "/login"}, b""),
        (200, {"content-encoding": "gzip, gzip"}, gzip.compress(gzip.compress(b'{"access_token":"a"}'))),
        (200, {}, b"[" * 50_000),
    ],
    ids=[
        "401",
        "400",
        "page",
        "none",
        "null",
        "empty",
        "list",
        "header",
        "huge",
        "redirect",
        "layers",
        "deep",
    ],
)
def test_no_token_is_a_refused_login_and_nothing_was_sent(server: Server, answer: Any) -> None:
    server.says["/token"] = answer
    with serving(server) as base, credentials(base, [0.0]) as client:
        reply = client.send("POST", "", b"{}")
        assert reply == NoResponse(may_have_arrived=False, why="auth")
    assert server.asked("/fhir") == []


def test_two_ways_to_log_in_are_refused(tmp_path: Path) -> None:
    more = 'token = "env:T"\n[hospitals.bv.auth]\nbasic = { user = "a", password = "env:P" }\n'
    with pytest.raises(SettingsError) as said, client_of(tmp_path, "http://h/fhir", more):
        pass
    assert "keep one" in str(said.value)


# -- TLS ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return _certificate(tmp_path_factory.mktemp("pem"), 30)


def test_a_ca_file_is_trusted_for_its_hospital_alone(
    server: Server, tmp_path: Path, pem: tuple[Path, Path]
) -> None:
    certificate, key = pem
    with serving(server, ssl_certfile=certificate, ssl_keyfile=key) as plain:
        base = plain.replace("http:", "https:") + "/fhir"
        with client_of(tmp_path, base) as client:
            assert client.get("Patient") == NoResponse(may_have_arrived=False, why="tls")
        with client_of(tmp_path, base, f'ca_file = "{certificate}"\n') as client:
            assert status(client.get("Patient")) == 200
        with client_of(tmp_path, base) as client:
            assert client.get("Patient") == NoResponse(may_have_arrived=False, why="tls")


def test_a_client_certificate_is_shown_to_who_asks_for_one(
    server: Server, tmp_path: Path, pem: tuple[Path, Path]
) -> None:
    certificate, key = pem
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-in", key, "-out", tmp_path / "locked.pem", "-passout", "pass:mở"],
        check=True,
        capture_output=True,
    )
    (tmp_path / "password").write_text("mở", "utf-8")
    asks: Any = {"ssl_certfile": certificate, "ssl_keyfile": key, "ssl_ca_certs": certificate}
    with serving(server, **asks, ssl_cert_reqs=ssl.CERT_REQUIRED) as plain:
        base = plain.replace("http:", "https:") + "/fhir"
        trusts = f'ca_file = "{certificate}"\n'
        with client_of(tmp_path, base, trusts) as client:
            assert isinstance(client.get("Patient"), NoResponse)
        shows = f'{trusts}[hospitals.bv.auth.certificate]\nfile = "{certificate}"\nkey = "locked.pem"\n'
        with client_of(tmp_path, base, f'{shows}password = "file:password"\n') as client:
            assert status(client.get("Patient")) == 200


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ('ca_file = "missing.pem"\n', "missing.pem"),
        ('ca_file = "adapter.toml"\n', "adapter.toml"),
        ('[hospitals.bv.auth.certificate]\nfile = "adapter.toml"\n', "adapter.toml"),
        ('[hospitals.bv.auth.certificate]\nfile = "gone.pem"\nkey = "k.pem"\n', "gone.pem"),
    ],
    ids=["missing", "no PEM", "no certificate", "no files"],
)
def test_a_file_that_tls_cannot_read_is_named(tmp_path: Path, more: str, named: str) -> None:
    with pytest.raises(SettingsError) as said, client_of(tmp_path, "https://h/fhir", more):
        pass
    assert f"{tmp_path / named}" in str(said.value)


# -- where an address leads ----------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_base_keeps_its_slash(server: Server, tmp_path: Path, slash: str) -> None:
    with serving(server) as base, client_of(tmp_path, f"{base}/fhir{slash}") as client:
        client.post_bundle(b"{}")
        client.get("Patient?identifier=1")
        client.get("metadata")
    assert [path for _, path, _, _ in server.seen] == [f"/fhir{slash}", "/fhir/Patient", "/fhir/metadata"]


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("/fhir/", "{base}/fhir/"),
        ("https://other.example/r4?ticket=secret#top", "https://other.example/r4"),
        ("//user:secret@other.example/r4", "http://other.example/r4"),
        ("/login", "{base}/login"),
    ],
)
def test_a_redirect_is_named_and_not_followed(
    server: Server, tmp_path: Path, location: str, said: str
) -> None:
    server.says["/fhir"] = server.says["/fhir/Patient"] = (307, {"location": location}, b"")
    with serving(server) as base, client_of(tmp_path, f"{base}/fhir") as client:
        for reply in (client.post_bundle(b"{}"), client.get("Patient")):
            assert isinstance(reply, HttpResponse)
            assert reply.redirected_to is not None
            expected = said.format(base=base)
            assert reply.trouble in (
                f"redirected {expected}",
                f"redirected {expected.replace('/login', '/fhir/login')}",
            )
            assert "secret" not in reply.trouble
    assert len(server.seen) == 2


def test_where_a_redirect_leads_is_said_as_a_base(server: Server, tmp_path: Path) -> None:
    moved = "https://new.example/r4"
    with serving(server) as base, client_of(tmp_path, f"{base}/fhir") as client:
        for below in ("Patient", "metadata", "Patient/7"):
            server.says[f"/fhir/{below}"] = (301, {"location": f"{moved}/{below}?x=1"}, b"")
            reply = client.get(below)
            assert isinstance(reply, HttpResponse)
            assert reply.trouble == f"redirected {moved}"


@pytest.mark.parametrize(
    ("link", "goes"),
    [
        ("?page=2", True),
        ("Observation?page=2", True),
        ("{base}/fhir?page=2", True),
        ("{base}/elsewhere?page=2", True),
        ("{other_port}/fhir?page=2", False),
        ("{other_scheme}/fhir?page=2", False),
        ("//127.0.0.2/fhir?page=2", False),
    ],
)
def test_a_page_link_goes_to_our_tokens_own_origin_only(
    server: Server, tmp_path: Path, link: str, goes: bool
) -> None:
    with serving(server) as base, client_of(tmp_path, f"{base}/fhir") as client:
        port = httpx.URL(base).port or 0
        places = {
            "base": base,
            "other_port": base.replace(str(port), str(port + 1)),
            "other_scheme": base.replace("http:", "https:"),
        }
        first = {**BUNDLE, "link": [{"relation": "next", "url": link.format(**places)}]}
        server.says["/fhir/Patient"] = (200, {}, json.dumps(first).encode())
        pages = list(client.pages("Patient", max_pages=5))
    if goes:
        assert [status(page) for page in pages] == [200, 200]
        assert server.seen[1][1].startswith(("/fhir", "/elsewhere"))
    else:
        assert pages[1:] == [NoResponse(may_have_arrived=True, why="foreign-page")]
        assert len(server.seen) == 1


def test_the_default_port_is_the_same_origin() -> None:
    assert _origin("https://h.example/a") == _origin("HTTPS://H.example:443/b")
    assert _origin("http://h.example/a") != _origin("https://h.example/a")


def test_a_hospital_that_redirects_is_a_problem_that_names_where_to(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    site = Site(engine)
    site.hospital.faults = [answers(308, headers={"Location": "/fhir/"}, text="moved")] * 9
    site.wish("c1", *family("c1"))
    assert site.deliver(patience=1).unreachable
    row = site.ledger.hospitals.row(NAME)
    assert row.last_error == "redirected http://hospital.test/fhir/"
    [problem] = find_problems(ProblemFacts({NAME: HospitalFacts(row=row)}), AlarmSettings(), site.clock())
    assert (problem.code, problem.cause) == ("redirected", "http://hospital.test/fhir/")
    assert "http://hospital.test/fhir/" in problem.words
    assert site.states() == {EntryState.PENDING: 4}
    engine.dispose()
