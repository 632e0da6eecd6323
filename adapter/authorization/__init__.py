"""How a hospital's client says who it is, and what it may do (SMART App Launch 2.2, Backend Services).

In: signed assertions, tokens of other issuers and certificates, with the keys that prove them. Out: access
tokens with scopes, and whose each is.
"""
