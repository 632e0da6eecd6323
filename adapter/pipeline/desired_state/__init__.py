"""What a hospital should hold of whom.

In: records of the people who changed, a destination. Out: desired resources, with what was withheld and
why.
"""
