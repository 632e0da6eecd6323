"""The guide of the console, in both languages: its pictures are there and of pages that exist, and it names
each part of the menu.
"""

import re
from pathlib import Path

import pytest
from console_crawl import route_of
from console_pictures import FOLDER, PICTURES, Picture
from PIL import Image

from adapter.texts import say_in
from adapter.web.console.routes import ROUTES

GUIDES = {
    language: FOLDER.parent / place for language, place in (("en", "console.md"), ("vi", "vi/console.md"))
}
_MOST = 150_000  # bytes


@pytest.mark.parametrize("picture", PICTURES, ids=lambda one: one.name)
def test_a_picture_is_there_and_of_a_page_that_exists(picture: Picture) -> None:
    route = route_of(picture.path)
    assert route is not None
    assert route.path == picture.path
    assert route_of(picture.begin) is not None
    file = FOLDER / f"{picture.name}.png"
    assert file.stat().st_size < _MOST
    with Image.open(file) as image:
        assert image.width == picture.size[0]


@pytest.mark.parametrize("language", GUIDES)
def test_the_guide_shows_each_picture_once_and_says_what_it_is_of(language: str) -> None:
    guide: Path = GUIDES[language]
    shown = re.findall(r"^!\[([^\]]+)\]\(([^)]+)\)$", guide.read_text("utf-8"), re.M)
    files = [(guide.parent / place).resolve() for _, place in shown]
    assert sorted(files) == sorted(FOLDER / f"{one.name}.png" for one in PICTURES)
    assert set(files) == set(FOLDER.iterdir())
    assert all(len(words) > 10 for words, _ in shown)


@pytest.mark.parametrize("language", GUIDES)
def test_the_guide_names_each_part_of_the_menu(language: str) -> None:
    said = " ".join(GUIDES[language].read_text("utf-8").split())
    menu = {route.path: say_in(language, route.menu) for route in ROUTES if route.menu}
    assert len(menu) > 8
    missing = {
        path: words
        for path, words in menu.items()
        if not any(f"{sign}{words}{sign}" in said for sign in ("*", "**")) and f"`{path}`" not in said
    }
    assert missing == {}


def test_the_stories_have_a_picture_each() -> None:
    assert len({one.path for one in PICTURES}) == 8
