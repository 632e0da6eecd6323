"""The act side: all that a person may do, each a named operation.

In: what to do, who does it, and the version of what was seen. Out: what was done, written into the audit.
"""
