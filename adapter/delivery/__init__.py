"""From the ledger to a hospital's FHIR server and back to the ledger.

In come due shipments, a server card, limits; out go requests, and the outcome of each into the ledger. Here
are the workers and mail; `decisions` are pure, `http` talks, `shipping` works on one shipment, `read_back`
looks at what a hospital holds, `doctor` measures its server.
"""
