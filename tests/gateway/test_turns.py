"""Whether the log moved is asked once for all requests of a turn, and never too seldom: each request is a task, as a server's are."""

import asyncio

from twit.core.gateway.turns import Turns


class Asked:
    """Caches that are in step until `moved`, and count how often they are asked."""

    moved, times = False, 0

    def in_step(self):
        self.times += 1
        return not self.moved


async def requests(turns, count):
    """So many, all begun in one turn of the loop."""

    async def request():
        return turns.in_step()

    return await asyncio.gather(*(request() for _ in range(count)))


async def test_requests_of_one_turn_are_told_by_one_question():
    caches = Asked()
    assert await requests(Turns(caches), 3) == [True, True, True]
    assert caches.times == 1


async def test_the_next_turn_asks_again():
    caches = Asked()
    turns = Turns(caches)
    assert await requests(turns, 2) == [True, True]
    caches.moved = True
    assert await requests(turns, 2) == [False, False]
    assert caches.times == 2


async def test_a_task_that_comes_twice_in_a_turn_is_told_what_it_wrote_between_and_so_is_who_comes_after_it():
    caches = Asked()
    turns = Turns(caches)

    async def writer():
        before, caches.moved = turns.in_step(), True
        return before, turns.in_step()

    async def reader():
        return turns.in_step()

    assert await asyncio.gather(writer(), reader()) == [(True, False), False]
