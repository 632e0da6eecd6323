"""Statements that one engine has compiled, others need not compile: each test opens engines of its own."""

from collections.abc import Iterator, MutableMapping
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.util import LRUCache

__all__ = ["share"]

_MOST = 5000
_compiled: MutableMapping[Any, Any] = LRUCache(_MOST)


class _Shared(MutableMapping[Any, Any]):
    """The cache as an engine sees it. Keys begin with its dialect, which is another object for each engine:
    here with what the dialect is.
    """

    def __init__(self, system: tuple[str, str]) -> None:
        self._system = system

    def _key(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._system, *key[1:])

    def __getitem__(self, key: tuple[Any, ...]) -> Any:
        return _compiled[self._key(key)]

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return _compiled.get(self._key(key), default)

    def __setitem__(self, key: tuple[Any, ...], value: Any) -> None:
        _compiled[self._key(key)] = value

    def __delitem__(self, key: tuple[Any, ...]) -> None:
        del _compiled[self._key(key)]

    def __iter__(self) -> Iterator[Any]:
        return iter(_compiled)

    def __len__(self) -> int:
        return len(_compiled)


def _use(connection: Connection) -> None:
    dialect = connection.dialect
    connection.execution_options(compiled_cache=_Shared((dialect.name, dialect.driver)))


def share() -> None:
    """Every engine of this process from now on."""
    event.listen(Engine, "engine_connect", _use)
