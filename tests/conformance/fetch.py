"""The official examples and the other validators, in .venv/conformance: fetched once, then only looked at.

`PYTHONPATH=tests python tests/conformance/fetch.py`, which `make conformance` runs. Needs npm, Maven and
a JDK.
"""

import base64
import hashlib
import os
import shutil
import tarfile
from pathlib import Path

from making import maven, npm, run

__all__ = ["CACHE", "EXAMPLES", "HAPI", "MEDPLUM", "PACKAGE", "UCUM_LHC"]

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".venv" / "conformance"
PACKAGE = "hl7.fhir.r4.examples@4.0.1"
INTEGRITY = (
    "DXBdIZOeQaSKIgCU7w6HOC7sw/6BzylmipLkBW4f//pT+Bc94x+8LImwTdvaNThPJoOzpBzvxAzNqjeu3X/zLw=="  # sha512
)
EXAMPLES = Path(os.environ.get("ADAPTER_R4_PACKAGE") or CACHE / "r4" / "package")
MEDPLUM = CACHE / "medplum"
HAPI = CACHE / "hapi"
UCUM_LHC = CACHE / "ucum"


def examples() -> None:
    """The package of HL7's examples, checked against its known digest, unpacked."""
    if EXAMPLES.is_dir():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    run("npm", "pack", "--silent", PACKAGE, "--pack-destination", str(CACHE), folder=HERE)
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
    npm(HERE / "medplum", MEDPLUM)


def ucum_lhc() -> None:
    """The units of @lhncbc/ucum-lhc, as package-lock.json says."""
    npm(HERE / "ucum", UCUM_LHC)


def hapi() -> None:
    """HL7's own validator, through HAPI FHIR, compiled."""
    classpath = f"-Dmdep.outputFile={HAPI / 'classpath'}"
    maven(HERE / "hapi", HAPI, classpath, "compile", "dependency:build-classpath")


if __name__ == "__main__":
    for fetch in (examples, medplum, ucum_lhc, hapi):
        fetch()
