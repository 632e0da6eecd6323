"""PDF: the sheet that a referral is printed on.

In: what a hospital may see of a referral. Out: the bytes of a PDF.
"""
