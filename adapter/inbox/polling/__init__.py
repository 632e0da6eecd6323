"""What is read from hospitals that let us only read: which of it concerns us, and up to where it was read.

In: resources as their server gives them, what is known of people and referrals, a server's clock. Out: which
of them may be stored, the next request, the watermark. Nothing here stores what a hospital said.
"""
