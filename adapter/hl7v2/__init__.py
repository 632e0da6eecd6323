"""HL7 v2 messages of hospitals, as the FHIR resources that say the same. Pure.

In: the bytes of one message (ORU, MDM, ORM, OML, ORL, SIU; versions 2.3 to 2.5.1). Out: a transaction
Bundle of the Task, Observation and DiagnosticReport that the REST API would have got, or why not; the
acknowledgement's bytes.
"""
