"""Requests over plain HTTP. httpx reads the certificates of all the world's authorities for each request
that has no client of its own, 20 ms whether or not it is encrypted; these need none.
"""

import ssl
from functools import partial

import httpx

__all__ = ["delete", "get", "post", "put", "request"]

_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts no authority at all

get = partial(httpx.get, verify=_NOBODY)
post = partial(httpx.post, verify=_NOBODY)
request = partial(httpx.request, verify=_NOBODY)
put = partial(httpx.put, verify=_NOBODY)
delete = partial(httpx.delete, verify=_NOBODY)
