"""What an expression gives, as far as that is known before a record is there."""

from dataclasses import dataclass

from adapter.mapping.transforms.transforms import TRANSFORM_SPECS

__all__ = [
    "ANY_TYPE",
    "EMPTY_TYPE",
    "PANEL_PART",
    "PASS_THROUGH",
    "PLAIN_TYPE",
    "ExpressionType",
    "fields_read_by",
    "is_assignable",
    "result_type",
]


@dataclass(frozen=True, slots=True)
class ExpressionType:
    """`form` is "plain" (text, number, truth, moment, or a list of them), "fhir" (the FHIR type `name`),
    "record" and "records" (of the kind `name`), "mixed" (a record, or something else), "nothing" (always
    empty) or "any" (not known).
    """

    form: str
    name: str = ""
    target: str = ""  # of a Reference: the type that it refers to; of a code: the table that it is from

    @property
    def may_be_record(self) -> bool:
        """Whether it is, or may be, a whole record: nothing may be made of that but what names its fields."""
        return self.form in ("record", "records", "mixed")

    @property
    def item(self) -> "ExpressionType":
        """What one item of it is."""
        return ExpressionType("record", self.name) if self.form == "records" else self

    def __or__(self, other: "ExpressionType") -> "ExpressionType":
        """Either of the two."""
        if self == other or other.form == "nothing":
            return self
        if self.form == "nothing":
            return other
        if self.may_be_record or other.may_be_record:
            return MIXED_TYPE
        plain = self.form == other.form == "plain"  # which moment or table it is, is not certain any more
        return PLAIN_TYPE if plain else ANY_TYPE


PLAIN_TYPE = ExpressionType("plain")
ANY_TYPE = ExpressionType("any")
EMPTY_TYPE = ExpressionType("nothing")
MIXED_TYPE = ExpressionType("mixed", "record")
PANEL_PART = "part"  # the kind of what the verb `parts` gives: one number of 120/80

_MOMENTS = frozenset(("date", "instant"))  # verbs that give the primitive type they are called after
PASS_THROUGH = frozenset(("only", "without"))
_QUANTITIES = frozenset(("Age", "Count", "Distance", "Duration", "Quantity", "SimpleQuantity"))


def fields_read_by(verb: str) -> tuple[str, ...]:
    """The fields that a verb reads of a whole record; () for a verb of single values."""
    return TRANSFORM_SPECS[verb].fields if verb in TRANSFORM_SPECS else ()


def result_type(verb: str, given: ExpressionType, named: str = "") -> ExpressionType:
    """What a verb or filter makes of what it is given; `named` is the type or table that it names."""
    if verb == "parts":
        return ExpressionType("records", PANEL_PART)
    if verb in PASS_THROUGH:
        return given
    if verb in TRANSFORM_SPECS:
        name = TRANSFORM_SPECS[verb].gives
        if name == "primitive":
            return ExpressionType("plain", verb if verb in _MOMENTS else "", named if verb == "code" else "")
        return ExpressionType("fhir", name, named if verb == "reference" else "") if name else ANY_TYPE
    if given.form == "records" and verb in ("first", "last"):
        return given.item
    if given.form == "records" and verb == "list":
        return given
    return PLAIN_TYPE if given.form == "plain" or verb == "length" else ANY_TYPE


def is_assignable(shape: ExpressionType, type_name: str | None, primitive: str) -> bool:
    """Whether what an expression gives can stand in an element: of the complex type `type_name`, or of a
    primitive type where that is None.
    """
    if shape.form in ("any", "nothing"):
        return True
    if shape.may_be_record:
        return False
    if type_name is None:
        return shape.form == "plain" and _is_primitive(shape.name, primitive)
    return shape.form == "fhir" and _same(shape.name, type_name)


def _same(one: str, other: str) -> bool:
    return one == other or (one in _QUANTITIES and other in _QUANTITIES)


def _is_primitive(name: str, primitive: str) -> bool:
    """Whether a verb's value can be one of that primitive type; only of moments is it known."""
    return name not in _MOMENTS or primitive in (name, "dateTime", "string")
