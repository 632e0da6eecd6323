"""What an expression gives, as far as that is known before a record is there."""

from dataclasses import dataclass

from adapter.mapping.transforms import VERBS

__all__ = ["ANY", "AS_GIVEN", "NOTHING", "PART", "PLAIN", "Shape", "fits", "gives", "reads"]


@dataclass(frozen=True, slots=True)
class Shape:
    """`form` is "plain" (text, number, truth, moment, or a list of them), "fhir" (the FHIR type `name`),
    "record" and "records" (of the kind `name`), "mixed" (a record, or something else), "nothing" (always
    empty) or "any" (not known).
    """

    form: str
    name: str = ""
    target: str = ""  # of a Reference: the type that it refers to; of a code: the table that it is from

    @property
    def is_whole(self) -> bool:
        """Whether it is, or may be, a whole record: nothing may be made of that but what names its fields."""
        return self.form in ("record", "records", "mixed")

    @property
    def item(self) -> "Shape":
        """What one item of it is."""
        return Shape("record", self.name) if self.form == "records" else self

    def __or__(self, other: "Shape") -> "Shape":
        """Either of the two."""
        if self == other or other.form == "nothing":
            return self
        if self.form == "nothing":
            return other
        if self.is_whole or other.is_whole:
            return MIXED
        plain = self.form == other.form == "plain"  # which moment or table it is, is not certain any more
        return PLAIN if plain else ANY


PLAIN = Shape("plain")
ANY = Shape("any")
NOTHING = Shape("nothing")
MIXED = Shape("mixed", "record")
PART = "part"  # the kind of what the verb `parts` gives: one number of 120/80

_MOMENTS = frozenset(("date", "instant"))  # verbs that give the primitive type they are called after
AS_GIVEN = frozenset(("only", "without"))
_QUANTITIES = frozenset(("Age", "Count", "Distance", "Duration", "Quantity", "SimpleQuantity"))


def reads(verb: str) -> tuple[str, ...]:
    """The fields that a verb reads of a whole record; () for a verb of single values."""
    return VERBS[verb].fields if verb in VERBS else ()


def gives(verb: str, given: Shape, named: str = "") -> Shape:
    """What a verb or filter makes of what it is given; `named` is the type or table that it names."""
    if verb == "parts":
        return Shape("records", PART)
    if verb in AS_GIVEN:
        return given
    if verb in VERBS:
        name = VERBS[verb].gives
        if name == "primitive":
            return Shape("plain", verb if verb in _MOMENTS else "", named if verb == "code" else "")
        return Shape("fhir", name, named if verb == "reference" else "") if name else ANY
    if given.form == "records" and verb in ("first", "last"):
        return given.item
    if given.form == "records" and verb == "list":
        return given
    return PLAIN if given.form == "plain" or verb == "length" else ANY


def fits(shape: Shape, type_name: str | None, primitive: str) -> bool:
    """Whether what an expression gives can stand in an element: of the complex type `type_name`, or of a
    primitive type where that is None.
    """
    if shape.form in ("any", "nothing"):
        return True
    if shape.is_whole:
        return False
    if type_name is None:
        return shape.form == "plain" and _is_primitive(shape.name, primitive)
    return shape.form == "fhir" and _same(shape.name, type_name)


def _same(one: str, other: str) -> bool:
    return one == other or (one in _QUANTITIES and other in _QUANTITIES)


def _is_primitive(name: str, primitive: str) -> bool:
    """Whether a verb's value can be one of that primitive type; only of moments is it known."""
    return name not in _MOMENTS or primitive in (name, "dateTime", "string")
