"""HTTP to a hospital's FHIR server.

In: method, URL, body. Out: a whole response, or why there is none and whether the request may have arrived.
Rate limit, Retry-After and deadlines are kept here.
"""
