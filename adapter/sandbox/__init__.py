"""A hospital to rehearse with.

In come FHIR requests, and faults to misbehave with; out go responses as a hospital would give them, and the
results of a clinician who examines whom it was sent.
"""
