"""An OpenID Connect provider of its own process: discovery, keys, authorization code with PKCE, ID tokens.

It signs everybody in who comes, as whom it was told to; what it does wrong is told at /test. Run as
`python oidc_provider.py PORT`.
"""

import base64
import hashlib
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

from adapter.testing import free_port, until

__all__ = ["CLIENT", "SECRET", "Provider", "oidc_provider"]

CLIENT, SECRET = "console", "a secret: of the console+"


class _State:
    """What the process knows. `wrong` is what it does wrong."""

    issuer = ""
    subject = "so-1"
    wrong = ""
    key = RSAKey.generate_key(2048, {"kid": "key-1", "use": "sig"})
    other = RSAKey.generate_key(2048, {"kid": "key-1", "use": "sig"})
    codes: dict[str, dict[str, str]] = {}  # noqa: RUF012 - one process, one provider


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        match url.path:
            case "/.well-known/openid-configuration":
                self._json(200, _discovery())
            case "/keys":
                self._json(200, {"keys": [_State.key.as_dict(private=False)]})
            case "/authorize":
                self._authorize(asked)
            case _:
                self._json(404, {})

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(text).items()}
        if self.path == "/test":
            _State.wrong, _State.subject = form.get("wrong", ""), form.get("subject", _State.subject)
            self._json(200, {})
        elif self.path == "/token":
            self._json(*_token(form, self.headers.get("Authorization", "")))
        else:
            self._json(404, {})

    def _authorize(self, asked: dict[str, str]) -> None:
        whole = asked.get("client_id") == CLIENT and asked.get("response_type") == "code"
        if (
            not whole
            or asked.get("code_challenge_method") != "S256"
            or "openid" not in asked["scope"].split()
        ):
            self._json(400, {"error": "invalid_request"})
            return
        answer = {"state": asked["state"], "iss": _State.issuer}
        if _State.wrong == "denied":
            answer["error"] = "access_denied"
        else:
            code = answer["code"] = secrets.token_urlsafe(16)
            _State.codes[code] = asked
        if _State.wrong == "state":
            answer["state"] = "another"
        if _State.wrong == "issuer":
            answer["iss"] = "https://another.example"
        self.send_response(302)
        self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(answer)}")
        self.end_headers()

    def _json(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


def _discovery() -> dict[str, Any]:
    at = _State.issuer
    return {
        "issuer": at,
        "authorization_endpoint": f"{at}/authorize",
        "token_endpoint": f"{at}/token",
        "jwks_uri": f"{at}/keys",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


def _token(form: dict[str, str], login: str) -> tuple[int, dict[str, Any]]:
    from urllib.parse import quote_plus

    expected = base64.b64encode(f"{quote_plus(CLIENT)}:{quote_plus(SECRET)}".encode()).decode()
    asked = _State.codes.pop(form.get("code", ""), None)
    if login != f"Basic {expected}":
        return 401, {"error": "invalid_client"}
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
        return 400, {"error": "invalid_grant"}
    if _State.wrong == "no-token":
        return 200, {"access_token": "x", "token_type": "Bearer"}
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": _State.issuer,
        "sub": _State.subject,
        "aud": CLIENT,
        "iat": now,
        "exp": now + 300,
        "nonce": asked["nonce"],
    }
    claims |= {
        "audience": {"aud": "another"},
        "nonce": {"nonce": "another"},
        "token-issuer": {"iss": "https://another.example"},
        "expired": {"iat": now - 900, "exp": now - 600},
        "no-subject": {"sub": ""},
        "azp": {"aud": [CLIENT, "another"], "azp": "another"},
    }.get(_State.wrong, {})
    key = _State.other if _State.wrong == "signature" else _State.key
    header = {"alg": "RS256", "kid": "key-1"}
    if _State.wrong == "none":
        header["alg"] = "none"
        parts = (json.dumps(one).encode() for one in (header, claims))
        token = ".".join(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts) + "."
    else:
        token = jwt.encode(header, claims, key)
    return 200, {"access_token": "x", "token_type": "Bearer", "id_token": token}


class Provider:
    """The process, as a test sees it."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def does(self, *, wrong: str = "", subject: str = "so-1") -> None:
        """From now on it does this wrong ("": nothing), and everybody who comes is `subject`."""
        form = {"wrong": wrong, "subject": subject}
        assert httpx.post(f"{self.issuer}/test", data=form, trust_env=False).status_code == 200


@contextmanager
def oidc_provider() -> Iterator[Provider]:
    """A provider that runs."""
    port = free_port()
    made = Provider(f"http://127.0.0.1:{port}")
    command = [sys.executable, str(Path(__file__)), str(port)]
    with subprocess.Popen(command) as process:

        def is_up() -> bool:
            try:
                return httpx.get(f"{made.issuer}/keys", trust_env=False).status_code == 200
            except httpx.HTTPError:
                return False

        try:
            assert until(is_up, 20)
            yield made
        finally:
            process.terminate()


if __name__ == "__main__":
    at = int(sys.argv[1])
    _State.issuer = f"http://127.0.0.1:{at}"
    ThreadingHTTPServer(("127.0.0.1", at), _Handler).serve_forever()
