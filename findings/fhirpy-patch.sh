#!/usr/bin/env bash
# The patch of a FHIR client is none that FHIR R4 knows, and it is sent as if it were a resource.
#
# Versions   PyPI fhirpy 2.3.1, against npm fhir-kit-client 2.0.3
# Expected   FHIR R4, RESTful API, patch: JSON Patch (application/json-patch+json), XML Patch, or FHIRPath Patch in a
#            Parameters resource. The content type says which.
# Seen       client.patch("Patient", "1", active=False) sends {"active": false} as application/json: a JSON merge patch
#            (RFC 7396) that does not say so. fhir-kit-client sends a JSON Patch under its name.
# Matters    A server that takes any JSON for a resource stores a person without a name, or complains of a missing
#            resourceType; a list in a merge patch replaces the whole list, identifiers too. Our endpoint answers 422,
#            says which patches it takes, and changes nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check fhirpy==2.3.1
npm install --silent --no-audit --no-fund --prefix "$work" fhir-kit-client@2.0.3 >/dev/null

cat > "$work/see.mjs" <<'JS'
import { Client } from 'fhir-kit-client';

const client = new Client({ baseUrl: process.argv[2] });
await client.patch({ resourceType: 'Patient', id: '1', jsonPatch: [{ op: 'replace', path: '/active', value: false }] });
process.exit(0);
JS
cat > "$work/see.py" <<'PY'
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from fhirpy import SyncFHIRClient

sent: list[tuple[str, str, str]] = []


class Server(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_PATCH(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        sent.append((self.path.rstrip("?"), self.headers["Content-Type"], body.replace(" ", "")))
        answer = b'{"resourceType":"Patient","id":"1"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"
SyncFHIRClient(base).patch("Patient", "1", active=False)
subprocess.run(["node", sys.argv[1], base], check=True, timeout=60)
for name, (path, kind, body) in zip(("fhirpy", "fhir-kit-client"), sent, strict=True):
    print(f"{name:16} PATCH {path}   {kind}   {body}")
if sent[1] != ("/Patient/1", "application/json-patch+json", '[{"op":"replace","path":"/active","value":false}]'):
    sys.exit("CHANGED: the control, fhir-kit-client, no longer sends a JSON Patch")
if sent[0] != ("/Patient/1", "application/json", '{"active":false}'):
    sys.exit("CHANGED: fhirpy sends something else than stated")
print("AS STATED: a merge patch under the name of plain JSON.")
PY
"$work/venv/bin/python" "$work/see.py" "$work/see.mjs"
