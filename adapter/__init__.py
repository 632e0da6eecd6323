"""FHIR R4 integration adapter for a cadre health-care centre.

The two paths::

    out   records -> mapping -> disclosure -> ledger -> delivery -> hospital FHIR server
    back  hospital -> web (FastAPI) -> inbox -> matching -> records

Each word is a package of the same name; `pipeline` holds the stages of both paths, `insights` is all that is
shown, `operations` all that a person may do, `duties` what services do by themselves, and `cli` what a person
types. In come records and what hospitals send; out go FHIR resources to hospitals, and results into the
records. See docs/architecture.md.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
