"""The insurer's XML of hospitals (QĐ 130/QĐ-BYT, amended by 4750 and 3176), as FHIR resources. Pure.

In: the bytes of one file: visits, each with its sheets, which are XML in base64. Out: a transaction Bundle of
Patient, Encounter, Observation, DiagnosticReport and Task, or why not.
"""
