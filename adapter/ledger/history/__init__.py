"""What happened to a resource, and for how long that is kept.

In: proofs of retraction, a record key. Out: transitions and retraction receipts; what is older than the
retention is deleted.
"""
