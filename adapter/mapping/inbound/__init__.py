"""A hospital's own JSON as FHIR R4, by a mapping file of its own (`mappings/inbound/NAME.yaml`).

In: the parsed document, what the file says that it looks like, code tables. Out: the transaction that says
the same in FHIR, with where in the document each of its resources stands; or what is wrong with the document,
and where. The language is that of the way out, and so is its engine.
"""
