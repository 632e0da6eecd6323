"""What is wrong with settings, secrets, mappings, code tables and the policy: all of it at once."""

from dataclasses import dataclass

from adapter.authorization.signed_bodies import MIN_SECRET_BYTES
from adapter.errors import MappingError, SettingsError
from adapter.fhir.identity import IdentityFactory
from adapter.insights.inbound_preview import inbound_problems
from adapter.pipeline.mapping_loading import load_mappings, policy_warnings
from adapter.settings import Settings
from adapter.texts import say

__all__ = ["MappingCheck", "mapping_check"]


@dataclass(frozen=True, slots=True)
class MappingCheck:
    """The resource types that the folder makes and its version (None where it cannot be loaded), what may not
    be meant, and what is wrong.
    """

    types: tuple[str, ...]
    version: str | None
    warnings: tuple[str, ...]
    problems: tuple[str, ...]


def mapping_check(settings: Settings) -> MappingCheck:
    """Check all of it; no secret is said."""
    problems = [*_secret_problems(settings), *_webhook_problems(settings), *inbound_problems(settings)]
    try:
        mappings = load_mappings(settings)
    except MappingError as error:
        return MappingCheck((), None, (), (*problems, str(error), *error.problems))
    return MappingCheck(tuple(mappings.types), mappings.version, policy_warnings(settings), tuple(problems))


def _secret_problems(settings: Settings) -> list[str]:
    """What is wrong with the identity key and the hospitals' tokens, without saying any of them."""
    problems = []
    try:
        IdentityFactory(settings.secret(settings.identity_key).get_secret_value().encode())
    except SettingsError as error:
        problems.append(str(error))
    except ValueError:
        problems.append(say("settings.short_key", reference=settings.identity_key))
    for hospital in settings.hospitals.values():
        try:
            if hospital.token:
                settings.secret(hospital.token)
        except SettingsError as error:
            problems.append(f"hospitals.{hospital.name}.token: {error}")
    return problems


def _webhook_problems(settings: Settings) -> list[str]:
    problems = []
    for hospital in settings.hospitals.values():
        for key, reference in hospital.webhook.keys.items() if hospital.webhook else ():
            try:
                secret = settings.secret(reference).get_secret_value().encode()
            except SettingsError as error:
                problems.append(f"hospitals.{hospital.name}.webhook.keys.{key}: {error}")
            else:
                if len(secret) < MIN_SECRET_BYTES:
                    problems.append(say("settings.short_webhook_key", hospital=hospital.name, key=key))
    return problems
