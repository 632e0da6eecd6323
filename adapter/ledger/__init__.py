"""What each hospital should hold and what it is known to hold: the durable queue.

In come the desired resources of a plan and the outcomes of requests; out go entries, leased shipments,
counts. Here are the store, its shipments, what is parked, and the mappings that are active; the words they
use are in `schema`, what is decided without a database in `entries`, and each other room holds what its name
says.
"""
