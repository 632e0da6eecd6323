"""Values as the files write them. Pure."""

from adapter.fhir.codec import Resource
from adapter.fhir.written_quantity import compared_quantity

__all__ = ["written_value"]


def written_value(written: str, unit: str) -> Resource:
    """`value[x]` of what was found. A number is one only with a point: 5,3 may be more than five, or five
    thousand.
    """
    found = compared_quantity(written, {"unit": unit} if unit else {})
    if found is not None:
        return {"valueQuantity": found}
    return {"valueString": f"{written} {unit}" if unit else written}
