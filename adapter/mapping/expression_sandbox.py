"""What an expression may touch at run time: the named fields of records, the verbs, and nothing else."""

from collections.abc import Mapping, MutableMapping, Sequence
from types import CodeType
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.environment import TemplateExpression
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.parser import Parser
from jinja2.sandbox import SandboxedEnvironment

from adapter.bounded_cache import BoundedCache
from adapter.mapping.transforms.transforms import JINJA_FILTERS

__all__ = ["ExpressionSandbox", "GivenFields", "ReadableFields", "RelatedFields"]

_PART_FIELDS = frozenset(("measure", "unit", "value"))
_compiled: BoundedCache[tuple[str, frozenset[str]], CodeType] = BoundedCache(1_000)  # expressions


class GivenFields:
    """What an expression is given beside records; it says by itself what may be read of it. No abstract
    class: those take Python longer to recognise than all else that reading a field takes.
    """

    def of(self, name: str) -> Any:
        """What is called so."""
        raise NotImplementedError


class RelatedFields(GivenFields):
    """Other records that go to the same hospital, by kind; none of a kind that is not given."""

    def __init__(self, records: Mapping[str, Sequence[Any]]) -> None:
        self._records = records

    def of(self, name: str) -> Sequence[Any]:
        return self._records.get(name, ())


class ReadableFields(GivenFields):
    """The named fields of something that may be missing: then all of them are None."""

    def __init__(self, owner: object, fields: frozenset[str]) -> None:
        self._owner = owner
        self._fields = fields

    def __bool__(self) -> bool:
        return self._owner is not None

    def of(self, name: str) -> Any:
        if name not in self._fields:
            raise SecurityError(f"{name} is not a field that a mapping may read")
        return None if self._owner is None else getattr(self._owner, name)


class ExpressionSandbox(SandboxedEnvironment):
    """Jinja2's sandbox, narrowed: it reads `fields` of records, calls nothing but `system()` and the
    verbs, and never sees a private attribute.
    """

    def __init__(self, fields: frozenset[str]) -> None:
        super().__init__(undefined=StrictUndefined, optimized=False)
        self._fields = fields | _PART_FIELDS
        self.globals.clear()
        self.filters = {name: self.filters[name] for name in JINJA_FILTERS}

    def compile_expression(self, source: str, undefined_to_none: bool = True) -> TemplateExpression:
        # Most hospitals' expressions are the same, and to compile them is most of what a sync of one person
        # takes. Nothing of this sandbox but the names of its verbs goes into the code, since nothing is
        # worked out beforehand (`optimized`).
        asked = (source, frozenset(self.filters))
        code = _compiled.get(asked)
        if code is None:
            code = _compiled.put(asked, self.compile(self._assignment(source)))
        template = self.template_class.from_code(self, code, self.make_globals(None))
        return TemplateExpression(template, undefined_to_none)

    def _assignment(self, source: str) -> nodes.Template:
        """What Jinja2 makes of an expression: a template that sets `result`."""
        try:
            parser = Parser(self, source, state="variable")
            expression = parser.parse_expression()
            if not parser.stream.eos:
                parser.fail("chunk after expression")
            expression.set_environment(self)
        except TemplateSyntaxError:
            self.handle_exception(source=source)
        return nodes.Template([nodes.Assign(nodes.Name("result", "store"), expression, lineno=1)], lineno=1)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        # Every call of an expression copies them, and Jinja2's own chain of dictionaries is slow to read.
        return {**self.globals, **(d or {})}

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, GivenFields):
            return obj.of(attribute)
        if attribute not in self._fields:
            raise SecurityError(f"{attribute} is not a field that a mapping may read")
        return getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, str) and isinstance(argument, slice):
            return obj[argument]
        raise SecurityError("a mapping reads fields by name only")
