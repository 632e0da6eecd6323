"""The version of a folder of mappings, without loading any of them."""

from hashlib import blake2b
from pathlib import Path

__all__ = ["mapping_files", "version_of"]

_NOT_MAPPINGS = frozenset(("disclosure.yaml",))  # other files that live in the same folder


def mapping_files(folder: Path) -> list[Path]:
    """The mapping files of a folder, in the order in which they are loaded."""
    return [path for path in sorted(folder.glob("*.yaml")) if path.name not in _NOT_MAPPINGS]


def version_of(folder: Path) -> str:
    """Digest of all mapping files and code tables of a folder, without loading them."""
    digest = blake2b(digest_size=16)
    for path in (*sorted((folder / "codes").glob("*.csv")), *mapping_files(folder)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
