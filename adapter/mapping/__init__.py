"""Mapping records to FHIR resources and back: files are checked and compiled once, then pure."""

from adapter.mapping.engine import Engine, HospitalContext, Mapped
from adapter.mapping.loader import Mappings

__all__ = ["Engine", "HospitalContext", "Mapped", "Mappings"]
