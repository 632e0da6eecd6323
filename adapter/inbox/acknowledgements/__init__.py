"""Which messages were taken in and how they were answered, so that one that comes again gets the same answer.

In: a sender's message, its control id and digest. Out: the answer that it had. It says nothing of what was
in it.
"""
