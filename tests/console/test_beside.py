"""The console beside the endpoint in one process: each under its own host name."""

from pathlib import Path

import httpx
import pytest
from console_centre import HOSPITALS, now

from adapter.errors import SettingsError
from adapter.testing import Centre, serving
from adapter.web.console.beside import with_console
from adapter.web.endpoint import adapter_endpoint


def _centre(folder: Path, console: dict[str, str]) -> Centre:
    settings = {"public_url": "http://fhir.example/fhir", "console": console}
    return Centre(folder, hospitals=HOSPITALS, settings=settings)


def test_each_answers_under_its_own_host_name_alone(tmp_path: Path) -> None:
    with _centre(tmp_path, {"url": "http://console.example"}) as centre, centre.open() as adapter:
        app = with_console(adapter_endpoint(adapter), adapter, now)
        with serving(app) as base, httpx.Client(base_url=base) as client:
            for host in ("fhir.example", base.removeprefix("http://"), "", "console.example.evil.example"):
                assert client.get("/sign-in", headers={"Host": host}).status_code in (400, 404), host
            inside = {"Host": "console.example"}
            assert "Mã dùng một lần" in client.get("/code", headers=inside).text  # nobody has an account yet
            assert client.get("/fhir/metadata", headers=inside).status_code == 404
            assert client.get("/fhir/metadata").json()["resourceType"] == "CapabilityStatement"


@pytest.mark.parametrize("console", [{}, {"url": "http://fhir.example"}], ids=["no-url", "the-same-host"])
def test_it_is_refused_where_the_names_do_not_tell_them_apart(
    tmp_path: Path, console: dict[str, str]
) -> None:
    with _centre(tmp_path, console) as centre, centre.open() as adapter, pytest.raises(SettingsError):
        with_console(adapter_endpoint(adapter), adapter, now)
