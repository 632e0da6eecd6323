"""The centre's typed records and the tables that hold them.

In come imported rows, results from the inbox, merges of people; out go the records of a person, and a change
feed of who changed since a position. What a sheet looks like (`sheets`), where rows come from (`sources`),
one import (`importing`) and the sample year (`synthetic`) are rooms of their own, which this one does not
import.
"""
