"""What expressions may do with a value.

In: a record's field as it was written, code tables, units. Out: FHIR values. Pure.
"""
