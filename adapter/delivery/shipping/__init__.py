"""One leased shipment from its claim to its end.

In: a lease and the entries of its cadre. Out: requests sent, retractions proved, an outcome for each entry,
and when the shipment is due again.
"""
