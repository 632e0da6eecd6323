"""Secrets by reference: `env:NAME` or `file:PATH`, never as themselves."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from adapter.errors import SettingsError
from adapter.texts import say

__all__ = ["SecretRef", "read_secret"]


def _is_reference(value: str) -> str:
    if not value.startswith(("env:", "file:")):
        raise ValueError(say("settings.is_secret"))
    return value


SecretRef = Annotated[str, AfterValidator(_is_reference)]


def read_secret(reference: str, *, folder: Path = Path()) -> SecretStr:
    """The secret that `env:NAME` or `file:PATH` points to (PATH relative to `folder`).

    Raises SettingsError when there is none; the message names the reference, never the secret.
    """
    scheme, _, where = reference.partition(":")
    if scheme == "env":
        value = os.environ.get(where, "")
    else:
        path = folder / where
        try:
            value = path.read_text("utf-8").strip()
        except OSError as error:
            raise SettingsError("settings.no_secret", reference=reference) from error
    if not value:
        raise SettingsError("settings.no_secret", reference=reference)
    return SecretStr(value)
