"""What a hospital holds, found by identifier or id.

In: identities, desired resources. Out: the copies there, and what they prove for an entry.
"""
