"""What a verb may be given in parentheses: read off the functions themselves, so that it is true."""

from collections import Counter
from collections.abc import Collection
from functools import cache
from inspect import Parameter, Signature, signature

from jinja2.filters import FILTERS

from adapter.mapping.terminology.code_tables import CodeTables
from adapter.mapping.transforms.transforms import TRANSFORM_SPECS, Transforms

__all__ = ["accepts_arguments", "signature_text"]


@cache
def _signatures() -> dict[str, Signature]:
    """Verb -> the arguments after the value itself; what is only by name is the adapter's own."""
    verbs = Transforms(
        CodeTables(), kinds={}, identify=lambda *_: "", identifier_system="", unknown=Counter()
    )
    found = {name: signature(verb) for name, verb in verbs.filters().items()}
    return {name: _after_the_value(one, 1) for name, one in found.items()}


def _after_the_value(found: Signature, first: int) -> Signature:
    listed = [one for one in found.parameters.values() if one.kind is not Parameter.KEYWORD_ONLY]
    return found.replace(parameters=listed[first:])


@cache
def _of(verb: str) -> Signature:
    if verb in TRANSFORM_SPECS:
        return _signatures()[verb]
    function = FILTERS[verb]  # Jinja2's own; some are given its environment first
    return _after_the_value(signature(function), 2 if hasattr(function, "jinja_pass_arg") else 1)


def accepts_arguments(verb: str, places: int, names: Collection[str]) -> bool:
    """Whether the verb can be given so many arguments by place, and these by name."""
    try:
        _of(verb).bind(*(None,) * places, **dict.fromkeys(names))
    except TypeError:
        return False
    return True


def signature_text(verb: str) -> str:
    """How the verb is written: `concept(table, text=…, on=…)`."""
    listed = [
        name if one.default is Parameter.empty else f"{name}=…" for name, one in _of(verb).parameters.items()
    ]
    return f"{verb}({', '.join(listed)})" if listed else verb
