"""A memory answers what it was told, and never holds more than it may."""

from adapter.bounded_cache import BoundedCache


def test_it_answers_what_it_was_told_and_gives_back_what_it_keeps() -> None:
    memory: BoundedCache[str, int] = BoundedCache(2)

    assert memory.put("one", 1) == 1
    assert memory.put("two", 2) == 2
    assert dict(memory) == {"one": 1, "two": 2}


def test_a_full_one_begins_anew() -> None:
    memory: BoundedCache[int, int] = BoundedCache(3)

    for number in range(10):
        memory.put(number, number)
        assert len(memory) <= 3
    assert dict(memory) == {9: 9}


def test_one_without_room_remembers_nothing() -> None:
    memory: BoundedCache[str, int] = BoundedCache(0)

    assert memory.put("one", 1) == 1
    assert not memory
