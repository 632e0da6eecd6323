"""PDF: the sheet that a referral is printed on, and what comes back as PDF.

In: what a hospital may see of a referral; the bytes of a PDF, which may be made to harm. Out: the bytes of
the sheet; what was found in the PDF by a process of its own, and the DiagnosticReport that presents it.
"""
