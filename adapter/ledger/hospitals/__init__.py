"""One row for each hospital, shared by all workers.

In: successes, failures, throttling, what a person switches. Out: how many shipments may be in flight now,
when a request may go, how large a Bundle may be, how far planning got.
"""
