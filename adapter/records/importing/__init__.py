"""One import, in one transaction: all of it or nothing.

In: tabs of rows. Out: records, tombstones and source cursors in the store, a report, a file of rejected
rows. T0 rows are refused before anything else.
"""
