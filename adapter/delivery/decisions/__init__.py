"""Pure decisions of delivery.

In: a server card, what is pending; a response. Out: the requests to make; what a response means for the
entry and for the hospital.
"""
