"""A folder of mappings as one value: it stays what it was, whatever becomes of the folder."""

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from adapter.errors import MappingError
from adapter.mapping.folder.version import POLICY_FILE

__all__ = ["MappingSnapshot"]

_PATTERNS = ("*.yaml", "*.csv", "*/*.yaml", "*/*.csv")


@dataclass(frozen=True)
class MappingSnapshot:
    """`files`: path below the folder -> content. The disclosure policy is none of them: it has no
    versions, the newest one always holds.
    """

    files: Mapping[str, bytes]

    @classmethod
    def from_folder(cls, folder: Path) -> "MappingSnapshot":
        """What the folder holds now. Raises MappingError for what cannot be read."""
        found = sorted({path for pattern in _PATTERNS for path in folder.glob(pattern)})
        names = {path: path.relative_to(folder).as_posix() for path in found}
        try:
            return cls({name: path.read_bytes() for path, name in names.items() if name != POLICY_FILE})
        except OSError as error:
            raise MappingError("diff.unreadable", folder=folder.name, problem=error.strerror or "") from error

    @classmethod
    def from_zip(cls, packed: bytes) -> "MappingSnapshot":
        """The snapshot that `to_zip` made."""
        with zipfile.ZipFile(BytesIO(packed)) as archive:
            return cls({name: archive.read(name) for name in archive.namelist()})

    def to_zip(self) -> bytes:
        """All files in one ZIP archive; the same files give the same bytes."""
        packed = BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in sorted(self.files.items()):
                # without a time: ZipInfo's is 1980
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return packed.getvalue()

    @cached_property
    def digest(self) -> str:
        """Names the snapshot: 32 hexadecimal characters."""
        found = blake2b(digest_size=16)
        for name, content in sorted(self.files.items()):
            found.update(f"{name}\0{len(content)}\0".encode() + content)
        return found.hexdigest()

    @contextmanager
    def extracted(self) -> Iterator[Path]:
        """The files in a folder of their own, for as long as the block lasts."""
        with TemporaryDirectory(prefix="mappings-") as name:
            folder = Path(name) / "mappings"
            folder.mkdir()
            for path, content in self.files.items():
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            yield folder
