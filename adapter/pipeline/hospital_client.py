"""The client of a hospital, from its settings: its address, how it is logged in to, whom TLS trusts."""

import ssl
from typing import TYPE_CHECKING

from adapter.delivery.http.authentication import (
    ClientCredentialsAuth,
    ServerLogin,
    TlsFiles,
    basic,
    tls_context,
)
from adapter.delivery.http.client import HospitalClient
from adapter.delivery.http.client_ports import RateLimiter, RequestMeter
from adapter.errors import SettingsError
from adapter.settings import HospitalSettings, Settings
from adapter.settings.hospital import HospitalLogin

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["hook_client", "hospital_client", "stranger_client"]


def hospital_client(
    settings: Settings, name: str, gate: RateLimiter | None = None, meter: RequestMeter | None = None
) -> HospitalClient:
    """Talks to the hospital `name`; close it. Raises SettingsError when a secret or a file is missing."""
    hospital = settings.hospital(name)
    token = settings.secret(hospital.token).get_secret_value() if hospital.token else None
    tls = _tls(settings, hospital)
    return HospitalClient(
        hospital.server_url,
        token=token,
        timeout=hospital.timeout_seconds,
        gate=gate,
        meter=meter,
        auth=_login(settings, hospital, tls),
        tls=tls,
    )


def hook_client(
    settings: Settings, hospital: HospitalSettings, endpoint: str, timeout: float
) -> HospitalClient:
    """Talks to an address that the hospital wants to be told at: with nothing of ours that proves who we are,
    and no redirect followed. Close it. Raises SettingsError when a file is missing.
    """
    tls = _tls(settings, hospital.model_copy(update={"auth": HospitalLogin()}))
    return HospitalClient(endpoint, timeout=timeout, tls=tls)


def stranger_client(settings: Settings, hospital: HospitalSettings, token: str) -> HospitalClient:
    """The same with a token that is not ours, to see whether the server looks at it."""
    tls = _tls(settings, hospital)
    return HospitalClient(hospital.server_url, token=token, timeout=hospital.timeout_seconds, tls=tls)


def _login(settings: Settings, hospital: HospitalSettings, tls: ssl.SSLContext) -> ServerLogin | None:
    if known := hospital.auth.basic:
        return basic(known.user, settings.secret(known.password).get_secret_value())
    if grant := hospital.auth.oauth2:
        return ClientCredentialsAuth(
            grant.token_url,
            grant.client_id,
            settings.secret(grant.client_secret).get_secret_value(),
            scope=grant.scope,
            method=grant.method,
            timeout=hospital.timeout_seconds,
            tls=tls,
        )
    return None


def _tls(settings: Settings, hospital: HospitalSettings) -> ssl.SSLContext:
    """Whom it trusts and what it shows. Raises SettingsError where a PEM file cannot be read."""

    def absolute(path: "Path | None") -> "Path | None":
        return None if path is None else settings.folder / path

    shown = hospital.auth.certificate
    password = settings.secret(shown.password).get_secret_value() if shown and shown.password else None
    files = TlsFiles(
        ca_file=absolute(hospital.ca_file),
        certificate=absolute(shown.file if shown else None),
        key=absolute(shown.key if shown else None),
        password=password,
    )
    try:
        return tls_context(files)
    except OSError as error:  # ssl.SSLError among them
        places = (files.ca_file, files.certificate, files.key)
        missing = next((path for path in places if path is not None and not path.is_file()), None)
        path = missing or files.ca_file or files.certificate
        raise SettingsError(
            "settings.bad_pem", name=hospital.name, path=str(path), problem=error.strerror or str(error)
        ) from error
