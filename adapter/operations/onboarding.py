"""What a hospital is given before it sends its first result: a sheet with everything it must know, and a
script that tries the endpoint from its side. No secret is in either.
"""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from adapter.authorization.clients import token_url
from adapter.errors import UsageError
from adapter.settings import HospitalSettings, Settings
from adapter.texts import current_language, say

__all__ = ["CHECK_FILE", "SHEET_FILE", "write_onboarding"]

SHEET_FILE, CHECK_FILE = "sheet.md", "check.sh"
_TEMPLATES = Path(__file__).parent / "templates"
_MEGABYTE = 1_000_000
_MARK = re.compile("@([A-Z_]+)@")
_CHECKS = (
    *("no_token", "expected", "metadata", "token_endpoint", "no_login", "wrong_token", "search", "good"),
    *("bad", "absent", "no_type", "all_good", "wrong"),
)


def write_onboarding(settings: Settings, hospital: HospitalSettings, folder: Path) -> list[Path]:
    """Write both into `folder`, in the language in use; what was written. Raises UsageError where the
    endpoint's address is not in the settings, or `folder` holds one of them already.
    """
    if settings.public_url is None:
        raise UsageError("hospital.no_public_url")
    base = settings.public_url.rstrip("/")
    texts = {
        SHEET_FILE: _filled(f"onboarding.{current_language()}.md", _facts(settings, hospital, base)),
        CHECK_FILE: _filled("onboarding.sh", _words(settings, hospital, base)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        file = folder / name
        try:
            with file.open("x", encoding="utf-8") as stream:
                stream.write(text)
        except FileExistsError:
            raise UsageError("hospital.onboarded", path=str(file)) from None
    (folder / CHECK_FILE).chmod(0o755)
    return [folder / name for name in texts]


def _filled(template: str, words: Mapping[str, str]) -> str:
    """The template with a word for each `@NAME@` in it."""
    text = (_TEMPLATES / template).read_text("utf-8")
    return _MARK.sub(lambda found: words[found[1]], text)


def _facts(settings: Settings, hospital: HospitalSettings, base: str) -> dict[str, str]:
    return {
        "BASE": base,
        "TOKEN_URL": token_url(base),
        "NAME": hospital.name,
        "DISPLAY": hospital.display,
        "CENTRE": settings.centre.name,
        "PHONE": settings.centre.phone or "-",
        "SYSTEM": settings.centre.identifier_system,
        "SYSTEMS": ", ".join(f"{name}: {uri}" for name, uri in sorted(hospital.systems.items())) or "-",
        "SCOPES": hospital.client.scopes,
        "WAYS": "\n".join(f"- {way}" for way in _ways(hospital)),
        "MEGABYTES": f"{settings.max_body_bytes / _MEGABYTE:g}",
    }


def _words(settings: Settings, hospital: HospitalSettings, base: str) -> dict[str, str]:
    """What the script says. It is run elsewhere: nothing of the settings is more than a word of it."""
    head = say("hospital.check_head", centre=settings.centre.name, display=hospital.display)
    checks = {f"CHECK_{name.upper()}": say(f"hospital.check_{name}") for name in _CHECKS}
    return {**checks, "CHECK_HEAD": " ".join(head.split()), "BASE": shlex.quote(base)}


def _ways(hospital: HospitalSettings) -> list[str]:
    """How its client may show who it is."""
    client = hospital.client
    ways = [say("hospital.way_token", name=hospital.name)]
    if client.jwks_url or client.jwks_file:
        ways.append(say("hospital.way_keys", where=client.jwks_url or client.jwks_file))
    if client.issuer is not None:
        ways.append(say("hospital.way_issuer", url=client.issuer.url, client=client.issuer.client_id))
    if client.certificates:
        ways.append(say("hospital.way_certificate", count=len(client.certificates)))
    return ways
