"""Quarantine: what the endpoint refused for its content, as it was received, until a person has looked.

In: a refused request and why. Out: what waits at which hospital, within bounds of bytes and days; the oldest
goes first.
"""
