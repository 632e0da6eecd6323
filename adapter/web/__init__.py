"""The HTTP endpoint that hospitals call.

In come requests with a hospital's token; out go FHIR R4 responses, each after what it acknowledges is
durable.
"""
