"""The one checker of resources and Bundles.

In: a resource of any shape, its own definitions. Out: issues with FHIRPath, never a value. Here: the walk,
primitive formats, invariants, narrative, and the second opinion of fhir.resources.
"""
