"""A versioned store of FHIR resources with search."""
