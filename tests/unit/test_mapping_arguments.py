"""A verb's arguments are checked on loading, and said as they are written."""

from pathlib import Path

import pytest
from mapping_support import FIELDS, MAPPINGS

from adapter.errors import MappingError
from adapter.mapping.language.transform_arguments import accepts_arguments, signature_text
from adapter.mapping.loader import Mappings
from adapter.mapping.transforms.transforms import JINJA_FILTERS, TRANSFORM_SPECS


@pytest.mark.parametrize(
    ("verb", "places", "names", "right"),
    [
        ("code", 1, (), True),
        ("code", 0, (), False),
        ("code", 3, (), False),
        ("default", 0, (), False),
        ("replace", 0, (), False),
        ("replace", 2, (), True),
        ("concept", 2, ("on",), True),
        ("concept", 3, (), True),
        ("concept", 1, ("fits",), False),
        ("reference", 1, ("name",), True),
        ("reference", 1, ("nmae",), False),
        ("instant", 1, (), False),
    ],
)
def test_arguments_are_those_of_the_verb(verb: str, places: int, names: tuple[str, ...], right: bool) -> None:
    assert accepts_arguments(verb, places, names) is right


def test_every_verb_says_how_it_is_written() -> None:
    assert signature_text("concept") == "concept(table, text=…, on=…)"
    assert all(signature_text(verb).startswith(verb) for verb in (*TRANSFORM_SPECS, *JINJA_FILTERS))


def test_a_verb_without_its_argument_is_named_on_loading(tmp_path: Path) -> None:
    (tmp_path / "codes").symlink_to(MAPPINGS / "codes")
    text = (MAPPINGS / "patient.yaml").read_text("utf-8").replace("code('sex')", "code")
    (tmp_path / "patient.yaml").write_text(text, "utf-8")
    with pytest.raises(MappingError) as caught:
        Mappings.load(tmp_path, FIELDS)
    [line] = caught.value.problems
    assert line.startswith("patient.yaml:")
    assert "code(table)" in line
