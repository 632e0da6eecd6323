#!/usr/bin/env bash
# httpx-auth cannot use an access token whose answer does not say how long it lives.
#
# Versions   PyPI httpx-auth 0.23.1 on httpx 0.28.1, against PyPI Authlib 1.6.5
# Expected   RFC 6749 §5.1: `expires_in` is RECOMMENDED; without it the lifetime is given by other means. §1.4: an
#            access token is "usually opaque to the client". So {"access_token": "…", "token_type": "Bearer"} is an
#            answer that a client uses.
# Seen       Without `expires_in`, httpx-auth takes the token for a JSON Web Token and unpacks it: an opaque one ends in
#            "ValueError: not enough values to unpack", which is neither an httpx error nor one of its own, and the
#            request is never sent. With `expires_in` it goes. Authlib uses both.
# Matters    A hospital's gateway that hands out opaque tokens without a lifetime (several do for client credentials)
#            is unreachable for a client built on it, and a retry that waits for httpx errors does not see why.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check httpx==0.28.1 httpx-auth==0.23.1 Authlib==1.6.5

cat > "$work/see.py" <<'PY'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
from authlib.integrations.httpx_client import OAuth2Client
from httpx_auth import OAuth2ClientCredentials


class Hospital(BaseHTTPRequestHandler):
    """Its token endpoint (/told, /untold), and a resource that says which token came."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token = {"access_token": "opaque-1f3a", "token_type": "Bearer"}
        self.reply(token | ({"expires_in": 300} if self.path == "/told" else {}))

    def do_GET(self):
        self.reply({"came": self.headers.get("Authorization")})

    def reply(self, content):
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Hospital)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"


def by_httpx_auth(endpoint):
    auth = OAuth2ClientCredentials(f"{base}/{endpoint}", client_id=f"centre-{endpoint}", client_secret="secret")
    try:
        return httpx.get(f"{base}/Patient", auth=auth).json()["came"]
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def by_authlib(endpoint):
    with OAuth2Client("centre", "secret") as client:
        client.fetch_token(f"{base}/{endpoint}", grant_type="client_credentials")
        return client.get(f"{base}/Patient").json()["came"]


seen = {
    (name, endpoint): ask(endpoint)
    for name, ask in (("httpx-auth", by_httpx_auth), ("authlib", by_authlib))
    for endpoint in ("told", "untold")
}
for (name, endpoint), came in seen.items():
    print(f"{name:10} lifetime {endpoint:6} -> {came}")
sent = "Bearer opaque-1f3a"
if [seen["authlib", "told"], seen["authlib", "untold"], seen["httpx-auth", "told"]] != [sent] * 3:
    sys.exit("CHANGED: the controls no longer send the token")
if not seen["httpx-auth", "untold"].startswith("ValueError: not enough values to unpack"):
    sys.exit("CHANGED: httpx-auth answers otherwise to a token without a lifetime")
print("AS STATED: httpx-auth needs expires_in or a JSON Web Token.")
PY
"$work/venv/bin/python" "$work/see.py" 2>&1
