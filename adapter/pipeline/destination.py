"""A hospital as planning sees it: all that decides what it should hold."""

import copy
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

from adapter.fhir.identity import IdentityFactory
from adapter.ledger.hospitals.circuit_breaker import PaceLimits
from adapter.ledger.schema.values import DesiredResource
from adapter.ledger.server_cards.card import ServerCard
from adapter.pipeline.mapping_editions import MappingEdition, MappingLibrary
from adapter.service_hours import ServiceHours
from adapter.settings import HospitalSettings, Settings

if TYPE_CHECKING:  # a command imports what it needs, and `adapter status` needs little
    from adapter.disclosure.exposure import Exposure
    from adapter.disclosure.policy import HospitalRules, Policy
    from adapter.disclosure.text_guard import TextGuard
    from adapter.mapping.engine import MappingEngine, ResourceMapping
    from adapter.mapping.loader import Mappings
    from adapter.records.model import Centre

__all__ = ["Destination", "pace_limits"]

# Raised when code outside mappings and policy changes what a record becomes, so that all is planned anew.
_PLAN_FORMAT = "5"


class Destination:
    """All that decides what one hospital should hold. `version` changes when any of it does, and is
    known without loading any mapping: a sync with nothing new needs no more.
    `mapping_edition` is its mapping.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        edition: MappingEdition,
        *,
        library: MappingLibrary,
        identities: IdentityFactory,
        card_of: Callable[[str], ServerCard],
    ) -> None:
        self.mapping_edition = edition
        self.hospital: HospitalSettings = settings.hospital(name)
        self._centre = settings.centre
        self._library = library
        self._identities = identities
        self._card_of = card_of
        self.system = settings.centre.identifier_system
        self.version = self._version()

    def _version(self) -> str:
        parts = (
            _PLAN_FORMAT,
            self.mapping_edition.version,
            self._library.policy_digest(),
            self._centre.model_dump_json(),
            self.hospital.model_dump_json(include={"display", "facility_code", "level", "systems", "merged"}),
            self.identify("", "", ""),  # another key makes everything another thing
        )
        return blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()

    def identify(self, resource_type: str, kind: str, key: str) -> str:
        """The identity of a record's resource at this hospital."""
        return self._identities.of(self.hospital.name, resource_type, kind, key)

    @cached_property
    def card(self) -> ServerCard:
        """What its server was measured to do; nothing, when it never was."""
        return self._card_of(self.hospital.name)

    @cached_property
    def policy(self) -> "Policy":
        """The disclosure policy."""
        return self._library.policy()

    @cached_property
    def mappings(self) -> "Mappings":
        """The mappings of this edition, checked. Raises MappingError."""
        return self._library.mappings(self.mapping_edition)

    @cached_property
    def rules(self) -> "HospitalRules":
        """The policy as it stands for this hospital."""
        return self.policy.rules(self.hospital.name, self.hospital.level)

    def under(self, policy: "Policy", level: str, exposure: "Exposure | None" = None) -> "Destination":
        """The same hospital by another policy or as of another level; with `exposure` as if that held for
        every tier.
        """
        from adapter.disclosure.exposure import rules_with_exposure

        other = copy.copy(self)
        rules = policy.rules(self.hospital.name, level)
        if exposure is not None:
            rules = rules_with_exposure(rules, exposure)
        vars(other).update(policy=policy, rules=rules)
        vars(other).pop("guard", None)
        return other

    @cached_property
    def guard(self) -> "TextGuard":
        """Reads every text that goes out."""
        from adapter.disclosure.text_guard import TextGuard

        return TextGuard(self.rules.phrases)

    @property
    def plain_values_pattern(self) -> re.Pattern[str] | None:
        """Values in words that go under a pseudonym too."""
        return self.policy.plain_values_pattern

    @property
    def mapping_version(self) -> str:
        """The version of the mappings that make the resources."""
        return self.mapping_edition.version

    @property
    def centre(self) -> "Centre":
        """The centre itself, as the settings have it."""
        from adapter.records.model import Centre

        centre = self._centre
        return Centre(
            key=Centre.kind,
            name=centre.name,
            facility_code=centre.facility_code or None,
            address=centre.address or None,
            phone=centre.phone or None,
        )

    @cached_property
    def resource_maps(self) -> tuple["ResourceMapping", ...]:
        """The mappings as they stand for this hospital, in dependency order."""
        return self.mappings.maps_for(self.hospital.name)

    def mapping_file(self, desired: "DesiredResource") -> str:
        """The mapping file that makes a resource."""
        listed = [
            map_ for map_ in self.resource_maps if (map_.type, map_.kind) == (desired.type, desired.kind)
        ]
        made = (
            map_.file
            for map_ in listed
            if self.identify(desired.type, map_.identity_kind, desired.key) == desired.identity
        )
        return listed[0].file if len(listed) == 1 else next(made, "")

    @cached_property
    def dependency_ranks(self) -> Mapping[str, int]:
        """Resource type -> its place in dependency order."""
        return {resource_type: rank for rank, resource_type in enumerate(self.mappings.types)}

    @cached_property
    def engine(self) -> "MappingEngine":
        """Maps records for this hospital."""
        from adapter.mapping.engine import HospitalContext

        hospital, centre = self.hospital, self._centre
        context = HospitalContext(
            name=hospital.name,
            display=hospital.display,
            facility_code=hospital.facility_code,
            systems=hospital.systems,
            centre_name=centre.name,
            centre_facility_code=centre.facility_code,
            identifier_system=centre.identifier_system,
            identify=self.identify,
        )
        return self.mappings.engine(context)


def pace_limits(hospital: HospitalSettings) -> PaceLimits:
    """What the settings say of a hospital's pace."""
    hours = ServiceHours.of(hospital.windows, hospital.maintenance)
    return PaceLimits(hospital.concurrency, hospital.requests_per_second, hours)
