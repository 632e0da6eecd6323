"""The version of a folder of mappings, without loading any of them."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

__all__ = [
    "FRAGMENTS_FILE",
    "POLICY_FILE",
    "mapping_files",
    "mapping_version",
    "mapping_version_of_files",
    "overlay_files",
]

FRAGMENTS_FILE = "fragments.yaml"
POLICY_FILE = "disclosure.yaml"
_NOT_MAPPINGS = frozenset((POLICY_FILE, FRAGMENTS_FILE))  # other files that live in the same folder


def mapping_files(folder: Path) -> list[Path]:
    """The mapping files of a folder, in the order in which they are loaded."""
    found = sorted(path for path in folder.glob("*.yaml") if path.is_file())
    return [path for path in found if path.name not in _NOT_MAPPINGS]


def overlay_files(folder: Path) -> list[Path]:
    """What hospitals want otherwise: a file for each, called like it."""
    return sorted(path for path in (folder / "hospitals").glob("*.yaml") if path.is_file())


def mapping_version(folder: Path, hospital: str | None = None) -> str:
    """Digest of all mapping files and code tables of a folder, without loading them. With `hospital`,
    of what holds for that hospital: another one's overlay changes nothing.
    """
    overlays = [path for path in overlay_files(folder) if hospital in (None, path.stem)]
    fragments = [path for path in (folder / FRAGMENTS_FILE,) if path.is_file()]
    tables = sorted((folder / "codes").glob("*.csv"))
    return _digest((*tables, *mapping_files(folder), *fragments, *overlays))


def mapping_version_of_files(files: Mapping[str, bytes], hospital: str) -> str:
    """The same of files that were read: path below the folder -> content."""
    of_folder: dict[str, list[str]] = {}
    for path in sorted(files):
        folder, _, name = path.rpartition("/")
        of_folder.setdefault(folder, []).append(name)
    tables = [f"codes/{name}" for name in of_folder.get("codes", ()) if name.endswith(".csv")]
    plain = [name for name in of_folder.get("", ()) if name.endswith(".yaml")]
    mappings = [name for name in plain if name not in _NOT_MAPPINGS]
    fragments = [name for name in plain if name == FRAGMENTS_FILE]
    overlays = [f"hospitals/{name}" for name in of_folder.get("hospitals", ()) if name == f"{hospital}.yaml"]
    listed = (*tables, *mappings, *fragments, *overlays)
    return _digest_of((path.rpartition("/")[2], files[path]) for path in listed)


def _digest(paths: Iterable[Path]) -> str:
    return _digest_of((path.name, path.read_bytes()) for path in paths)


def _digest_of(files: Iterable[tuple[str, bytes]]) -> str:
    digest = blake2b(digest_size=16)
    for name, content in files:
        digest.update(name.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()
