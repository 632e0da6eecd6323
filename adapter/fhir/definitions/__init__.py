"""What HL7's R4 definitions say, as one checked-in table (r4.json) and its reader.

In: a type's name. Out: its elements, bindings, reference targets and invariants. generate.py makes the
table anew from HL7's package.
"""
