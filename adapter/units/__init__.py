"""UCUM units, alone (imports nothing of mapping).

In: a UCUM code, a number. Out: what the unit measures, whether two are commensurable, the converted number.
Its table is made by `generate`.
"""
