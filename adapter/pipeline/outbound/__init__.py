"""Planning and delivering.

In: desired state and the ledger. Out: a plan written into the ledger, shipments delivered, a summary of the
run.
"""
