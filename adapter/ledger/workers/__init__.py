"""Which processes work on the ledger and whether they are alive.

In: heartbeats and what a lease looks like. Out: registered workers, named locks that one process holds at a
time, what a dead process held set free.
"""
