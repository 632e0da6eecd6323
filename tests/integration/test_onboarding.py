"""What a hospital is given before its first result, and the script in it against a real endpoint."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adapter.errors import UsageError
from adapter.hospital_tokens import issue_token
from adapter.operations.onboarding import write_onboarding
from adapter.pipeline.application import Adapter
from adapter.settings import HospitalSettings, Settings
from adapter.settings.client import ClientRegistration, OutsideIssuer
from adapter.testing import serving
from adapter.texts import set_language
from adapter.web.endpoint import adapter_endpoint

BASE = "https://adapter.centre.example/fhir"
CLIENT = ClientRegistration(
    jwks_url="https://bv-tinh.example/jwks.json",
    issuer=OutsideIssuer(url="https://login.bv-tinh.example", client_id="his", audience="cadre"),
    certificates=("0f" * 32,),
)
HOSPITAL = HospitalSettings(
    name="bv-tinh",
    display="Bệnh viện Đa khoa tỉnh",
    level="provincial",
    base_url="http://hospital.test/fhir",
    client=CLIENT,
)


def centre(tmp_path: Path, public_url: str | None = BASE) -> Settings:
    key = tmp_path / "identity.key"
    key.write_text("0123456789abcdef0123456789abcdef")
    return Settings(identity_key=f"file:{key}", hospitals={"bv-tinh": HOSPITAL}, public_url=public_url)


@pytest.fixture(params=["en", "vi"])
def lang(request: pytest.FixtureRequest) -> Iterator[str]:
    set_language(request.param)
    yield request.param
    set_language("en")


@pytest.mark.usefixtures("lang")
def test_the_sheet_says_all_and_no_secret(tmp_path: Path) -> None:
    sheet, check = write_onboarding(centre(tmp_path), HOSPITAL, tmp_path / "out")
    said = sheet.read_text("utf-8")
    for fact in (
        BASE,
        "https://adapter.centre.example/auth/token",
        "bv-tinh",
        CLIENT.jwks_url,
        "his",
        "5 MB",
    ):
        assert str(fact) in said
    assert not re.search("@[A-Z_]+@", said + check.read_text("utf-8"))
    assert os.access(check, os.X_OK)
    assert "0123456789abcdef" not in said
    with pytest.raises(UsageError):  # what a person may have written into it stays
        write_onboarding(centre(tmp_path), HOSPITAL, tmp_path / "out")


def test_without_an_address_there_is_nothing_to_give(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_onboarding(centre(tmp_path, None), HOSPITAL, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the script needs curl")
@pytest.mark.usefixtures("lang")
def test_the_script_finds_all_as_it_should_be_and_says_what_is_not(tmp_path: Path, engine: Engine) -> None:
    settings = centre(tmp_path)
    _, check = write_onboarding(settings, HOSPITAL, tmp_path / "out")
    token = issue_token(engine, "bv-tinh", datetime.now(UTC), by="test")

    def run(base: str, token: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["sh", check],
            env={**os.environ, "BASE": base, "TOKEN": token},
            capture_output=True,
            text=True,
            check=False,
        )

    with serving(adapter_endpoint(Adapter(settings, engine))) as url:
        good = run(f"{url}/fhir", token)
        assert (good.returncode, good.stdout.count("✓")) == (0, 9), good.stdout + good.stderr
        revoked = run(f"{url}/fhir", "guessed")
        elsewhere = run(f"{url}/fhir/Patient", token)
    assert revoked.returncode == elsewhere.returncode == 1
    assert revoked.stdout.count("✗") == 5  # everything for which one must be somebody
    assert "OperationOutcome" in revoked.stdout
    assert "guessed" not in revoked.stdout
    nobody = run("http://127.0.0.1:9", token)
    assert (nobody.returncode, nobody.stdout.count("✗")) == (1, 9)
    assert run("", "").returncode == 2


@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell")
def test_what_the_settings_say_is_no_more_than_words_of_the_script(tmp_path: Path) -> None:
    """A hospital runs it on its own machine."""
    mark = tmp_path / "ran"
    odd = f"x'; touch {mark}; '$(touch {mark})`touch {mark}`"
    settings = centre(tmp_path, f"https://centre.example/{odd}/fhir")
    settings = settings.model_copy(
        update={"centre": settings.centre.model_copy(update={"name": f"x\ntouch {mark}"})}
    )
    _, check = write_onboarding(settings, HOSPITAL, tmp_path / "out")
    environment = {**os.environ, "TOKEN": "x", "PATH": os.environ["PATH"], "BASE": ""}
    subprocess.run(["sh", check], env=environment, capture_output=True, check=False, timeout=60)
    assert not mark.exists()
