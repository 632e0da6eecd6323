"""Whether a rejects file is still as an import wrote it: what somebody has corrected is never thrown away.

The seal is in the file itself, where no program that saves it again keeps it: the comment of a workbook's
zip, the last line of a folder's note.
"""

import zipfile
from hashlib import blake2b
from pathlib import Path

__all__ = ["is_as_written", "seal_folder", "seal_workbook"]


def seal_workbook(file: Path) -> None:
    """Seal a workbook that is written."""
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = _of_archive(archive)


def seal_folder(note: Path) -> None:
    """Seal the CSVs beside `note`, in its last line."""
    with note.open("a", encoding="utf-8") as file:
        file.write(f"{_of_tables(note.parent)}\n")


def is_as_written(target: Path, note: str) -> bool:
    """Whether the seal of the workbook, or of the folder with a file `note`, is that of its content."""
    try:
        if target.is_dir():
            if not any(target.glob("*.csv")):
                return True  # nothing that anybody could have corrected
            return (target / note).read_text("utf-8").splitlines()[-1:] == [_of_tables(target)]
        with zipfile.ZipFile(target) as archive:
            return archive.comment == _of_archive(archive)
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def _of_archive(archive: zipfile.ZipFile) -> bytes:
    digest = blake2b(digest_size=16)
    for entry in archive.infolist():
        digest.update(f"{entry.filename}\0{entry.CRC}\0{entry.file_size}\0".encode())
    return digest.hexdigest().encode()


def _of_tables(folder: Path) -> str:
    digest = blake2b(digest_size=16)
    for table in sorted(folder.glob("*.csv")):
        content = table.read_bytes()
        digest.update(f"{table.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
