"""What a hospital is given before it sends its first result: a sheet with everything it must know, and a
script that tries the endpoint from its side. No secret is in either.
"""

from pathlib import Path

from adapter.errors import UsageError
from adapter.settings import HospitalSettings, Settings
from adapter.texts import say

__all__ = ["CHECK_FILE", "SHEET_FILE", "write_onboarding"]

SHEET_FILE, CHECK_FILE = "sheet.md", "check.sh"
_TEMPLATES = Path(__file__).parent / "templates"
_MEGABYTE = 1_000_000


def write_onboarding(settings: Settings, hospital: HospitalSettings, folder: Path, lang: str) -> list[Path]:
    """Write both into `folder`, in that language; what was written. Raises UsageError where the endpoint's
    address is not in the settings, or `folder` holds one of them already.
    """
    if settings.public_url is None:
        raise UsageError("hospital.no_public_url")
    base = settings.public_url.rstrip("/")
    words = {
        "@BASE@": base,
        "@TOKEN_URL@": f"{base.removesuffix('/fhir')}/auth/token",
        "@NAME@": hospital.name,
        "@DISPLAY@": hospital.display,
        "@CENTRE@": settings.centre.name,
        "@PHONE@": settings.centre.phone or "-",
        "@SYSTEM@": settings.centre.identifier_system,
        "@SYSTEMS@": ", ".join(f"{name}: {uri}" for name, uri in sorted(hospital.systems.items())) or "-",
        "@SCOPES@": hospital.client.scopes,
        "@WAYS@": "\n".join(f"- {way}" for way in _ways(hospital)),
        "@MEGABYTES@": f"{settings.max_body_bytes / _MEGABYTE:g}",
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, template in ((SHEET_FILE, f"onboarding.{lang}.md"), (CHECK_FILE, f"onboarding.{lang}.sh")):
        text = (_TEMPLATES / template).read_text("utf-8")
        for mark, word in words.items():
            text = text.replace(mark, word)
        file = folder / name
        try:
            with file.open("x", encoding="utf-8") as stream:
                stream.write(text)
        except FileExistsError:
            raise UsageError("hospital.onboarded", path=str(file)) from None
        written.append(file)
    (folder / CHECK_FILE).chmod(0o755)
    return written


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
