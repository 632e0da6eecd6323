"""What hospitals sent: stored before it is acknowledged, then matched and applied.

In come accepted resources; out go results and fulfilments for the local record, or items that wait for a
person with candidates and reasons. What evidence means (`evidence`, `matching`) and what it writes
(`local_writes`) is decided without a database.
"""
