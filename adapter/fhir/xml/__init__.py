"""FHIR's XML form (http://hl7.org/fhir/R4/xml.html), to and from the JSON that everything else works on.

In: a resource, or bytes of XML. Out: bytes of XML, or the resource. Nothing is lost: decimals keep their
digits, primitives their ids and extensions, narratives their letters.
"""
