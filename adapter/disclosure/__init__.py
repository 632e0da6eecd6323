"""What may leave, for whom, in which form.

In come a policy, the facts of one record, and a resource about to leave; out go a decision with its reason,
and the resource without what may not be in it.
"""
