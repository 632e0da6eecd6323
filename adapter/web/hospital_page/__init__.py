"""The hospital page: a hospital that has nothing but a browser sees its referrals and answers them.

In: an invitation's link and code, forms. Out: HTML, and the resources that a FHIR client would have sent.
"""
