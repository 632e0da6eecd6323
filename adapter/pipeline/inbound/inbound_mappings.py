"""The converters of hospitals' own JSON: each loaded when its first document comes, and again when its files
were written.
"""

import threading

from adapter.mapping.inbound.conversion import InboundConverter, InboundSender
from adapter.mapping.inbound.loader import inbound_version, load_inbound
from adapter.pipeline.inbound.taken_once import own_numbers
from adapter.settings import Settings

__all__ = ["InboundConverters", "inbound_sender"]


def inbound_sender(settings: Settings, name: str, system: str = "") -> InboundSender:
    """Whose documents they are, as the mapping is told."""
    hospital, centre = settings.hospital(name), settings.centre
    return InboundSender(
        name=name,
        display=hospital.display,
        facility_code=hospital.facility_code,
        own=own_numbers(settings, name, system),
        ours=centre.identifier_system,
        systems=hospital.systems,
        centre_name=centre.name,
        centre_facility_code=centre.facility_code,
    )


class InboundConverters:
    """By hospital. Any number of threads may ask."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._loaded: dict[str, tuple[str, InboundConverter]] = {}

    def of(self, hospital: str) -> InboundConverter | None:
        """The hospital's; None where the settings name no mapping for it. Raises MappingError."""
        section = self._settings.hospital(hospital).webhook
        if section is None:
            return None
        folder = self._settings.mappings_folder
        version = inbound_version(folder, section.mapping)
        with self._lock:
            loaded = self._loaded.get(hospital)
            if loaded is None or loaded[0] != version:
                sender = inbound_sender(self._settings, hospital, section.system)
                loaded = (version, InboundConverter(load_inbound(folder, section.mapping), sender))
                self._loaded[hospital] = loaded
            return loaded[1]
