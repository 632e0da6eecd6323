"""The version of a folder of mappings, without loading any of them."""

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

__all__ = ["FRAGMENTS_FILE", "POLICY_FILE", "mapping_files", "overlay_files", "version_of"]

FRAGMENTS_FILE = "fragments.yaml"
POLICY_FILE = "disclosure.yaml"
_NOT_MAPPINGS = frozenset((POLICY_FILE, FRAGMENTS_FILE))  # other files that live in the same folder


def mapping_files(folder: Path) -> list[Path]:
    """The mapping files of a folder, in the order in which they are loaded."""
    return [path for path in sorted(folder.glob("*.yaml")) if path.name not in _NOT_MAPPINGS]


def overlay_files(folder: Path) -> list[Path]:
    """What hospitals want otherwise: a file for each, called like it."""
    return sorted((folder / "hospitals").glob("*.yaml"))


def version_of(folder: Path, hospital: str | None = None) -> str:
    """Digest of all mapping files and code tables of a folder, without loading them. With `hospital`,
    of what holds for that hospital: another one's overlay changes nothing.
    """
    overlays = [path for path in overlay_files(folder) if hospital in (None, path.stem)]
    fragments = [path for path in (folder / FRAGMENTS_FILE,) if path.is_file()]
    tables = sorted((folder / "codes").glob("*.csv"))
    return _digest((*tables, *mapping_files(folder), *fragments, *overlays))


def _digest(paths: Iterable[Path]) -> str:
    digest = blake2b(digest_size=16)
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
