"""Mapping records to FHIR resources and back: files are checked and compiled once, then pure."""
