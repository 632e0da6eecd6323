"""HL7 v2 over MLLP: the listener beside the FHIR endpoint.

In: connections of hospitals' senders, with or without TLS. Out: each message handed on, and its answer sent
back.
"""
