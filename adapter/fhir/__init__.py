"""FHIR R4 without input or output, nothing of hospitals or records.

In comes FHIR JSON as bytes or dicts; out go resources, Bundles and single requests, what a response says
entry by entry, opaque identities, differences, and the issues that the checker (`validation`) finds.
"""
