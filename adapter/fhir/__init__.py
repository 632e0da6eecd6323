"""FHIR R4 without input or output: JSON, bundles, outcomes, validation."""
