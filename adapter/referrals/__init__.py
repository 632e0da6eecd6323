"""The life of a referral, from the order to its outcome. Pure.

In: what a hospital's resource says of it, and how long ago. Out: where it stands, and what is waited for.
"""
