"""Topic subscriptions: a hospital asks to be told when its referrals change, by the Subscriptions R5 Backport
guide for R4 (http://hl7.org/fhir/uv/subscriptions-backport, STU 1.1).

In: Subscription resources of hospitals, and changes of referrals that a hospital was sent. Out: pending
events, and notification Bundles. `topic`, `subscription`, `header`, `notification` and `retry` decide without
a database; `changes` notes events in the transactions of others, `store` holds the other SQL. Who sends is
`adapter.pipeline.outbound.notifying`.
"""
