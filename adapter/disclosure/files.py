"""Reads the policy file."""

from hashlib import blake2b
from pathlib import Path

import yaml

from adapter.disclosure.policy import Policy, parse
from adapter.errors import MappingError

__all__ = ["load_policy"]


def load_policy(path: Path) -> tuple[Policy, str]:
    """The policy in a YAML file, and the digest of the file. Raises MappingError with every mistake."""
    try:
        text = path.read_bytes()
        data = yaml.safe_load(text)
    except OSError as error:
        raise MappingError("disclosure.unreadable", path=str(path)) from error
    except yaml.YAMLError as error:
        raise MappingError("disclosure.invalid", (f"{path.name}: {error}",), path=str(path)) from error
    if not isinstance(data, dict):
        raise MappingError("disclosure.invalid", (f"{path.name}: not a table of rules",), path=str(path))
    return parse(data, where=path.name), blake2b(text, digest_size=16).hexdigest()
