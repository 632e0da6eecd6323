"""Each hospital has its turn, whoever floods; who guesses tokens waits."""

import asyncio

import pytest

from adapter.errors import FhirError
from adapter.testing import ManualClock
from adapter.web.fair_turns import FairTurns, HospitalShare, RequestRate
from adapter.web.login_delays import LoginDelays


def anybody(_: str) -> HospitalShare:
    return HospitalShare(requests_per_second=2, concurrency=30)


def served_in_order(requests: list[str], workers: int) -> tuple[list[str], int]:
    """The hospitals in the order in which their requests were worked on, and how many of one were at once."""
    turns = FairTurns(anybody, workers)
    order: list[str] = []
    now: list[str] = []
    most = 0

    async def request(hospital: str) -> None:
        nonlocal most
        async with turns.turn(hospital):
            order.append(hospital)
            now.append(hospital)
            most = max(most, now.count(hospital))
            await asyncio.sleep(0)
            now.remove(hospital)

    async def all_of_them() -> None:
        async with asyncio.timeout(10):
            await asyncio.gather(*(request(one) for one in requests))

    asyncio.run(all_of_them())
    return order, most


def test_a_flood_waits_for_itself() -> None:
    order, most = served_in_order(["flood"] * 50 + ["small"], workers=4)
    assert (len(order), most) == (51, 2)
    assert order.index("small") <= 2
    order, most = served_in_order(["a"] * 20 + ["b"] * 20 + ["c"] * 20, workers=2)
    assert (len(order), most) == (60, 1)
    assert {*order[3:6]} == {"a", "b", "c"}, "round and round"


def test_beside_others_a_flood_has_one_worker_and_rests_after_each_long_turn() -> None:
    clock = ManualClock()
    turns = FairTurns(anybody, 4, clock.uptime)
    order: list[str] = []

    async def request(hospital: str, takes: float = 0.0) -> None:
        async with turns.present(hospital), turns.turn(hospital):
            order.append(hospital)
            await asyncio.sleep(0)
            clock.advance(seconds=takes)

    async def story() -> None:
        async with asyncio.timeout(10), turns.present("small"):
            flood = [asyncio.create_task(request("flood", takes=0.06)) for _ in range(4)]
            await asyncio.sleep(0)
            assert order == ["flood"], "one worker, with three that are free"
            while not order[1:]:
                await asyncio.sleep(0)
                await request("small")
            assert set(order[1:]) == {"small"}, "the flood rests"
            await asyncio.gather(*flood)
        assert order.count("flood") == 4, "nobody rests for ever"

    asyncio.run(story())


def test_a_turn_gives_way_to_others_at_work_but_not_for_ever() -> None:
    turns = FairTurns(anybody, 4)

    async def story() -> None:
        async with asyncio.timeout(30), turns.turn("flood") as turn:
            await asyncio.to_thread(turn.give_way)
            assert turn.paused == 0, "there is nobody else"
            async with turns.turn("small"):
                await asyncio.wait_for(asyncio.to_thread(turn.give_way), 10)
            assert turn.paused >= 1, "it did not wait"
            paused = turn.paused
            async with turns.turn("small"):
                await asyncio.to_thread(turn.give_way)
            assert turn.paused == paused, "it has waited enough"
        async with asyncio.timeout(30), turns.turn("flood") as turn, turns.turn("small"):
            waiting = asyncio.create_task(asyncio.to_thread(turn.give_way))
            await asyncio.sleep(0.05)
            assert not waiting.done()
        await asyncio.wait_for(waiting, 0.5)

    asyncio.run(story())


def test_a_turn_gives_way_to_a_request_of_which_nobody_knows_yet_whose_it_is() -> None:
    turns = FairTurns(anybody, 4)

    async def story() -> None:
        async with asyncio.timeout(30), turns.turn("flood") as turn:
            with turns.arriving():
                waiting = asyncio.create_task(asyncio.to_thread(turn.give_way))
                await asyncio.sleep(0.05)
                assert not waiting.done()
            await asyncio.wait_for(waiting, 0.5)

    asyncio.run(story())


def test_after_a_short_turn_nobody_rests() -> None:
    clock = ManualClock()
    turns = FairTurns(anybody, 4, clock.uptime)

    async def story() -> None:
        async with asyncio.timeout(3), turns.present("small"), turns.present("other"):
            for _ in range(100):  # with rests it would be eight seconds
                async with turns.turn("small"):
                    clock.advance(seconds=0.015)

    asyncio.run(story())


def test_alone_nobody_rests() -> None:
    clock = ManualClock()
    turns = FairTurns(anybody, 4, clock.uptime)

    async def story() -> None:
        async with turns.present("gone"):
            pass
        clock.advance(seconds=60)
        async with asyncio.timeout(10):
            async with turns.present("flood"), turns.turn("flood"), turns.turn("flood"):
                clock.advance(hours=1)
            async with turns.turn("flood"), turns.turn("flood"):
                pass

    asyncio.run(story())


def test_who_hangs_up_while_waiting_leaves_the_turn_to_others() -> None:
    turns = FairTurns(anybody, 2)

    async def request(hospital: str) -> str:
        async with turns.turn(hospital):
            return hospital

    async def story() -> list[str]:
        async with asyncio.timeout(10), turns.turn("a"):
            waits = [asyncio.create_task(request("a")) for _ in range(3)]
            await asyncio.sleep(0)
            waits[0].cancel()
        waits[1].cancel()  # its turn has come already
        found = await asyncio.gather(*waits, return_exceptions=True)
        return [one for one in found if isinstance(one, str)] + [await request("a"), await request("b")]

    assert asyncio.run(story()) == ["a", "a", "b"]


def test_too_many_at_once_are_told_when_to_come_again() -> None:
    turns = FairTurns(lambda _: HospitalShare(concurrency=1))

    async def story() -> None:
        async with turns.present("a"), turns.present("b"):
            with pytest.raises(FhirError) as refused:
                async with turns.present("a"):
                    pass
            assert (refused.value.status, refused.value.params["retry_after"]) == (429, 1)
        async with turns.present("a"):
            pass

    asyncio.run(story())


def test_too_many_in_a_second_are_told_when_to_come_again() -> None:
    now = 100.0
    rate = RequestRate(anybody, lambda: now)
    for _ in range(2):
        rate.take("a")
    rate.take("b")
    with pytest.raises(FhirError) as refused:
        rate.take("a")
    assert (refused.value.status, refused.value.params["retry_after"]) == (429, 1)
    now += 0.5
    rate.take("a")


def test_wrong_tokens_wait_longer_and_longer_but_not_for_ever() -> None:
    now = 100.0
    delays = LoginDelays(lambda: now)
    assert [delays.wrong("one") for _ in range(5)] == [0] * 5
    waits = []
    for _ in range(9):
        waits.append(delays.wrong("one"))
        assert delays.wrong("one") == waits[-1], "asking again meanwhile makes it no longer"
        now += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert delays.wrong("another") == 0
    now += 601
    assert delays.wrong("one") == 0
