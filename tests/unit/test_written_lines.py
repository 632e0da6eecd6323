"""All that reaches a terminal goes through `write_line` or a `CleanConsole`: nothing is written around."""

import ast
from collections.abc import Iterator

import pytest
from code_names import module_files

from adapter.texts import escaped_json, markdown_words, write_line

# Where others may write: the edge itself, the log's stream (whose lines are cleaned where they are made), a
# console that cleans, tools of developers, and fakes.
EDGE = {"adapter.texts", "adapter.telemetry", "adapter.cli.terminal.clean_console"}
APART = ("adapter.testing", "adapter.migrations")
ASKED = {"isatty", "flush", "fileno", "buffer", "readline"}  # what may be asked of a stream
WRITERS = {
    "typer": {"echo", "secho", "confirm", "prompt", "echo_via_pager"},
    "click": {"echo", "secho", "confirm", "prompt", "echo_via_pager"},
    "rich": {"print", "print_json"},
    "os": {"write"},
    "traceback": {"print_exc", "print_exception", "print_last", "print_tb", "print_stack"},
    "warnings": {"warn"},
    "pprint": {"pprint", "pp"},
    "sys": {"stdout", "stderr", "__stdout__", "__stderr__"},
}
FILES = {
    name: path
    for name, path in module_files().items()
    if name not in EDGE and not name.startswith(APART) and not path.name.startswith("generate")
}


def written_around(tree: ast.AST) -> Iterator[str]:
    """What in a module writes to a terminal by itself."""
    asked = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in ASKED
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in ("print", "input"):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in WRITERS.get(node.value.id, ()) and id(node) not in asked:
                yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names} & WRITERS.get(str(node.module), set())
            yield from (f"{node.module}.{name}" for name in names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Console":
            yield "Console"
        elif isinstance(node, ast.keyword) and node.arg == "markup" and ast.unparse(node.value) != "False":
            yield "markup"


def test_nothing_is_printed_around_the_drawing_edge() -> None:
    assert len(FILES) > 400
    found = {
        name: places
        for name, path in FILES.items()
        if (places := list(written_around(ast.parse(path.read_text("utf-8")))))
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "print(text)",
        "import typer\ntyper.echo(text)",
        "import sys\nsys.stdout.write(text)",
        "import sys\nsys.__stderr__.write(text)",
        "import sys\nout = sys.stderr",
        "from sys import stdout",
        "from typer import echo",
        "import os\nos.write(1, text)",
        "from rich.console import Console\nConsole().print(text)",
        "out.print(text, markup=True)",
        "import traceback\ntraceback.print_exc()",
        "say = print",
    ],
)
def test_each_way_around_is_seen(line: str) -> None:
    assert len(list(written_around(ast.parse(line)))) == 1


def test_what_only_asks_a_stream_is_none() -> None:
    source = "import sys\nsys.stdout.isatty(), sys.stderr.flush(), out.print(text, markup=False)"
    assert list(written_around(ast.parse(source))) == []


def test_what_is_written_moves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    write_line("a\x1b]0;title\x07\x9b31m\u202eb\ud800\U000e0041")
    write_line("\x1b[2J", to_errors=True, end="")
    done = capsys.readouterr()
    assert done.out == "a␛]0;title␇\ufffd31m\ufffdb\ufffd\ufffd\n"
    assert done.err == "␛[2J"


def test_what_is_no_sign_of_the_terminal_stands_as_it_is_in_json() -> None:
    assert escaped_json('{"a":"Ả"}') == '{"a":"Ả"}'
    assert escaped_json('{"a":"\u202e\x9b\U000e0041"}') == r'{"a":"\u202e\u009b\udb40\udc41"}'


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("HAPI FHIR Server 8.10.0", "HAPI FHIR Server 8.10.0"),
        ("a|b", r"a\|b"),
        ("![x](http://y)", r"!\[x\](http://y)"),
        ("<img src=x>", r"\<img src=x\>"),
        ("a\n# b\r\n| c |", r"a \# b␍ \| c \|"),
        ("`a` *b* _c_ &lt;", r"\`a\` \*b\* \_c\_ \&lt;"),
        ("\x1b[1m\u202e", "␛\\[1m\ufffd"),
    ],
)
def test_others_words_are_words_on_a_page(said: str, written: str) -> None:
    assert markdown_words(said) == written
