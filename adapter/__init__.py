"""FHIR R4 integration adapter for a cadre health-care centre.

The two paths::

    out   records -> mapping -> disclosure -> ledger -> delivery -> hospital FHIR server
    back  hospital -> web (FastAPI) -> inbox -> matching -> records

Each word is a package of the same name; `pipeline` holds the stages of both paths as verbs,
`cli` is what a person types. See docs/architecture.md.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
