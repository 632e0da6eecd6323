"""Code tables and written units.

In: CSV files under mappings/codes. Out: what a local code means on a day, problems by file and line, the
tables as FHIR CodeSystem, ValueSet and ConceptMap, and codes that no table knows. Imports only units.
"""
