"""Mappings by edition: the folder's and those in force, each loaded once, when somebody needs it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from adapter.errors import MappingError
from adapter.ledger.active_mappings import ActiveMappingStore
from adapter.mapping.folder.snapshot import MappingSnapshot
from adapter.mapping.folder.version import POLICY_FILE, mapping_version, mapping_version_of_files

if TYPE_CHECKING:
    from adapter.disclosure.policy import Policy
    from adapter.mapping.loader import Mappings

__all__ = ["MappingEdition", "MappingLibrary"]

_READ = frozenset((".yaml", ".csv"))
_NEVER = datetime.fromtimestamp(0, UTC)
_MOST_LOADED = 8  # editions kept in memory by a process that stays up


@dataclass(frozen=True, slots=True)
class MappingEdition:
    """A mapping as it was at one moment. `version` is the hospital's, `digest` names the files of all
    hospitals; `snapshot` is None where they are in the database.
    """

    version: str
    digest: str
    snapshot: MappingSnapshot | None = field(default=None, compare=False, repr=False)


def _changed(path: Path) -> datetime:
    """When it was written, by the inode: a copy may carry an older time over."""
    try:
        return datetime.fromtimestamp(path.stat().st_ctime, UTC)
    except OSError:  # gone meanwhile; its folder says when
        return _NEVER


class MappingLibrary:
    """The editions of the mappings in `folder` and of those in force, and the policy, which has none.

    `load` makes mappings of a folder; it may raise MappingError, and so may whatever needs it here.
    """

    def __init__(self, folder: Path, store: ActiveMappingStore, load: Callable[[Path], "Mappings"]) -> None:
        self._folder = folder
        self._store = store
        self._load = load
        self._lock = threading.RLock()
        self._loaded: dict[tuple[str, str], Mappings] = {}
        self._policy: tuple[str, Policy] | None = None

    @property
    def is_untouched(self) -> bool:
        """Whether no mapping was needed so far."""
        return not self._loaded

    def folder_version(self, hospital: str) -> str:
        """The version of the folder for a hospital, without loading anything. Raises MappingError
        where it cannot be read.
        """
        try:
            return mapping_version(self._folder, hospital)
        except OSError as error:
            folder, problem = self._folder.name, error.strerror or ""
            raise MappingError("diff.unreadable", folder=folder, problem=problem) from error

    def last_written(self) -> tuple[datetime, datetime]:
        """When something in the folder was last written, put there or taken away, and when the policy."""
        policy = self._folder / POLICY_FILE
        folders = [self._folder, *(path for path in self._folder.glob("*") if path.is_dir())]
        files = [path for folder in folders for path in folder.glob("*") if path.suffix in _READ]
        return (
            max((_changed(path) for path in (*folders, *files) if path != policy), default=_NEVER),
            _changed(policy),
        )

    def folder_edition(self, hospital: str) -> MappingEdition:
        """The folder as it is now."""
        snapshot = MappingSnapshot.from_folder(
            self._folder
        )  # read once: what is written meanwhile is another version
        return MappingEdition(mapping_version_of_files(snapshot.files, hospital), snapshot.digest, snapshot)

    def active_edition(self, hospital: str) -> MappingEdition | None:
        """What the hospital has; None before its first sync, or while nobody knows it."""
        held = self._store.active(hospital)
        return MappingEdition(held.version, held.snapshot) if held and held.version else None

    def mappings(self, edition: MappingEdition) -> "Mappings":
        """The mappings of an edition, checked; loaded by whichever hospital's thread needs them first."""
        key = (edition.digest, self.policy_digest())  # which fields may leave is the policy's
        with self._lock:
            if key not in self._loaded:
                snapshot = edition.snapshot or MappingSnapshot.from_zip(self._store.files(edition.digest))
                while len(self._loaded) >= _MOST_LOADED:
                    del self._loaded[next(iter(self._loaded))]  # the oldest
                with snapshot.extracted() as folder:
                    self._loaded[key] = self._load(folder)
            return self._loaded[key]

    def policy_file(self) -> bytes:
        """The policy file as it is now; nothing where there is none."""
        path = self._folder / POLICY_FILE
        return path.read_bytes() if path.is_file() else b""

    def policy_digest(self) -> str:
        """Changes with any byte of the policy file."""
        return blake2b(self.policy_file(), digest_size=16).hexdigest()

    def policy(self) -> "Policy":
        """The policy as its file is now. Raises PolicyError."""
        from adapter.disclosure.policy_loader import load_policy

        digest = self.policy_digest()
        with self._lock:
            if self._policy is None or self._policy[0] != digest:
                self._policy = digest, load_policy(self._folder / POLICY_FILE)
            return self._policy[1]
