"""Reads the policy file."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from adapter.disclosure.policy import Policy, parse_policy
from adapter.errors import PolicyError
from adapter.texts import say

__all__ = ["load_policy", "read_policy"]


class _Loader(yaml.SafeLoader):
    """Refuses a name that stands twice: YAML itself would silently take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, say("disclosure.second_time", word=key.value), key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def load_policy(path: Path) -> Policy:
    """The policy in a YAML file. Raises PolicyError with every mistake."""
    try:
        written = path.read_bytes()
    except OSError as error:
        raise PolicyError("disclosure.unreadable", path=str(path)) from error
    return read_policy(written, path)


@lru_cache(maxsize=4)  # mappings are checked against it, and whoever plans asks for it again
def read_policy(written: bytes, path: Path) -> Policy:
    """The policy in these bytes, said to be of `path`. Raises PolicyError."""
    try:
        data = yaml.load(written, Loader=_Loader)  # noqa: S506 - a SafeLoader that is stricter
    except yaml.YAMLError as error:
        raise PolicyError("disclosure.invalid", (f"{path.name}: {error}",), path=str(path)) from error
    if not isinstance(data, dict):
        raise PolicyError(
            "disclosure.invalid", (f"{path.name}: {say('disclosure.no_table')}",), path=str(path)
        )
    return parse_policy(data, where=path.name)
