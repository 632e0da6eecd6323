"""The official examples and the other validators, in .venv/conformance: fetched once, then only looked at.

`python tests/conformance/fetch.py`, which `make conformance` runs. Needs npm, Maven and a JDK.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

__all__ = ["CACHE", "EXAMPLES", "HAPI", "MEDPLUM", "PACKAGE"]

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".venv" / "conformance"
PACKAGE = "hl7.fhir.r4.examples@4.0.1"
INTEGRITY = (
    "DXBdIZOeQaSKIgCU7w6HOC7sw/6BzylmipLkBW4f//pT+Bc94x+8LImwTdvaNThPJoOzpBzvxAzNqjeu3X/zLw=="  # sha512
)
EXAMPLES = Path(os.environ.get("ADAPTER_R4_PACKAGE") or CACHE / "r4" / "package")
MEDPLUM = CACHE / "medplum"
HAPI = CACHE / "hapi"


def examples() -> None:
    """The package of HL7's examples, checked against its known digest, unpacked."""
    if EXAMPLES.is_dir():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    _run("npm", "pack", "--silent", PACKAGE, "--pack-destination", str(CACHE))
    (archive,) = CACHE.glob("hl7.fhir.r4.examples-*.tgz")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != INTEGRITY:
        archive.unlink()
        raise SystemExit(f"{PACKAGE} is not what it was: sha512 {digest}")
    unpacked = CACHE / "unpacking"
    shutil.rmtree(unpacked, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    unpacked.rename(EXAMPLES.parent)  # at once: an interrupted run leaves nothing half
    archive.unlink()


def medplum() -> None:
    """The validator of @medplum/core, as package-lock.json says."""
    source = HERE / "medplum"
    if _is_made(MEDPLUM, source):
        return
    shutil.copytree(source, MEDPLUM, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    _run("npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", folder=MEDPLUM)
    _mark(MEDPLUM, source)


def hapi() -> None:
    """HL7's own validator, through HAPI FHIR, compiled."""
    source = HERE / "hapi"
    if _is_made(HAPI, source):
        return
    _run(
        "mvn",
        "--quiet",
        "--batch-mode",
        f"-Dbuild.folder={HAPI}",
        f"-Dmdep.outputFile={HAPI / 'classpath'}",
        "compile",
        "dependency:build-classpath",
        folder=source,
    )
    _mark(HAPI, source)


def _run(*command: str, folder: Path = HERE) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)


def _digest(source: Path) -> str:
    files = sorted(path for path in source.rglob("*") if path.is_file() and "node_modules" not in path.parts)
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _is_made(folder: Path, source: Path) -> bool:
    mark = folder / "made-from"
    return mark.is_file() and mark.read_text() == _digest(source)


def _mark(folder: Path, source: Path) -> None:
    (folder / "made-from").write_text(_digest(source))


if __name__ == "__main__":
    for fetch in (examples, medplum, hapi):
        fetch()
