"""What to write into the entries of the ledger, decided without a database.

In: desired resources, outcomes of requests, entries as they stand. Out: planned changes, row values, and
the statements for many entries at once.
"""
