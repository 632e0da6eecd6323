"""Reads the policy file."""

from pathlib import Path

import yaml

from adapter.disclosure.policy import Policy, parse
from adapter.errors import MappingError

__all__ = ["load_policy"]


def load_policy(path: Path) -> Policy:
    """The policy in a YAML file. Raises MappingError with every mistake."""
    try:
        data = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise MappingError("disclosure.unreadable", path=str(path)) from error
    except yaml.YAMLError as error:
        raise MappingError("disclosure.invalid", (f"{path.name}: {error}",), path=str(path)) from error
    if not isinstance(data, dict):
        raise MappingError("disclosure.invalid", (f"{path.name}: not a table of rules",), path=str(path))
    return parse(data, where=path.name)
