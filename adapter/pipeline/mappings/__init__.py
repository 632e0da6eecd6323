"""Which mapping each hospital gets.

In: the folder's edition and what is active. Out: the edition to plan with, and why it is not the folder's.
"""
