"""The process that is killed: a small town that acts as fast as it can and says on stdout what it tries and what was answered.

Never run by pytest. What to do comes as one line of JSON on stdin (`Orders`); each act is told before it begins and once it
was answered, so that whoever reads knows what must stand. Households act in turn: one task moves all edges between its
people, so that the outcome does not hang on who was first. What was not answered before a kill is done again first.
"""

import asyncio
import os
import random
import signal
import sys
import threading
from pathlib import Path
from typing import ClassVar

import msgspec

from twit.core.clock import SystemClock
from twit.core.entropy import SystemEntropy
from twit.core.errors import Refused
from twit.core.limits import Limits
from twit.core.offload import ThreadOffload
from twit.core.stores.embedded import open_stores
from twit.core.wiring import build
from twit.core.workers import GROUPS

PEOPLE = 8
HOUSEHOLDS = ((1, 5), (2, 6), (3, 7), (4, 8))
LIMITS = Limits(
    celebrity_followers_min=5, celebrity_followers_exit=4, fanout_batch=3, event_batch=16, timeline_entries_max=60,
    backfill_entries_max=60, merge_on_follow_max=20, follower_chunk=4, celebrity_list_entries=20, store_timeout_ms=60_000,
)
KNOWN = 40  # of the newest tweets: those that are liked, answered and deleted


class Act(msgspec.Struct, frozen=True):
    """`number` tells acts apart; `of` is a tweet or a person."""

    number: int
    actor: int
    verb: str
    of: int = 0
    text: str = ""
    quote: bool = False
    mentions: int = 0


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line on stdout. `tried` an act; `answered` one with a tweet's id, 1 or 0 for whether it changed something, or refused."""

    tried: Act | None = None
    answered: int = -1
    result: int = 0
    refused: bool = False
    again: bool = False
    ready: bool = False
    wrong: str = ""
    aimed: str = ""


class Orders(msgspec.Struct):
    """`again`: acts to be repeated first. `known`: tweet → author. `aim`: die at the `lines`-th line run in `file` or `file:function`."""

    seed: int = 0
    first: int = 0
    acts: bool = True
    consumes: bool = True
    again: list[Act] = []
    known: dict[int, int] = {}
    gone: list[int] = []
    aim: str = ""
    lines: int = 0


async def open_twit(folder):
    clock = SystemClock()
    stores = open_stores(Path(folder), LIMITS, clock)
    return await build(
        stores, limits=LIMITS, clock=clock, chance=random.Random(1), entropy=SystemEntropy(), offload=ThreadOffload(2), name="crash",
    )


def say(said):
    os.write(1, msgspec.json.encode(said) + b"\n")


class Town:
    """What the households know of each other. `verbs` says how often each kind of act is chosen."""

    verbs: ClassVar = {
        "post": 30, "reply": 8, "quote": 5, "retweet": 8, "unretweet": 4, "like": 12, "unlike": 4, "delete": 8, "edge": 12,
        "mute": 2, "block": 4,
    }  # fmt: skip

    def __init__(self, twit, orders, say=say):
        self.twit, self.chance, self.say = twit, random.Random(orders.seed), say
        self.number = orders.first
        self.known = dict(orders.known)
        self.gone = set(orders.gone)

    def choose(self, household):
        """The next act of somebody of this household."""
        chance, actor = self.chance, self.chance.choice(household)
        self.number += 1
        recent = list(self.known)[-KNOWN:]
        own = [tweet for tweet in recent if self.known[tweet] == actor]
        verb = chance.choices(list(self.verbs), list(self.verbs.values()))[0]
        if verb in {"reply", "quote", "retweet", "unretweet", "like", "unlike"} and recent:
            text = f"{actor}.{self.number}" if verb in {"reply", "quote"} else ""
            return Act(self.number, actor, "post" if text else verb, chance.choice(recent), text, verb == "quote")
        if verb == "delete" and own:
            return Act(self.number, actor, verb, chance.choice(own))
        if verb == "edge":
            other = chance.choice([person for person in range(1, PEOPLE + 1) if person != actor])
            return Act(self.number, actor, chance.choice(("follow", "follow", "unfollow")), other)
        if verb == "mute":
            other = chance.choice([person for person in range(1, PEOPLE + 1) if person != actor])
            return Act(self.number, actor, chance.choice(("mute", "unmute")), other)
        mate = next(person for person in household if person != actor)
        if verb == "block":
            return Act(self.number, actor, chance.choice(("block", "unblock", "unblock")), mate)
        mentions = mate if chance.random() < 0.2 else 0
        return Act(self.number, actor, "post", 0, f"{actor}.{self.number}" + (f" @person{mate}" if mentions else ""), mentions=mentions)

    async def perform(self, act, *, again=False):
        self.say(Said(tried=act))
        if act.verb == "delete":
            self.known.pop(act.of, None)
        try:
            result = await self._do(act)
        except Refused:
            self.say(Said(answered=act.number, refused=True, again=again))
            return
        self.say(Said(answered=act.number, result=int(result), again=again))
        if act.verb in {"post", "retweet"} and result not in self.gone:
            self.known[result] = act.actor
        if act.verb == "delete":
            self.gone.add(act.of)

    async def _do(self, act):
        twit, actor, of = self.twit, act.actor, act.of
        match act.verb:
            case "post":
                key = f"{actor}-{act.number}"
                reply, quote = (0, of) if act.quote else (of, 0)
                return (await twit.post(actor, act.text, reply_to=reply, quote_of=quote, idempotency_key=key)).tweet_id
            case "retweet":
                return (await twit.retweet(actor, of)).tweet_id
            case "delete":
                return await twit.delete(actor, of) is None
            case "follow":
                return bool(await twit.follow(actor, of, retweets=act.number % 5 != 0))
            case verb:
                return await getattr(twit, verb)(actor, of)

    async def repeat(self, acts):
        """What was not answered: deletes last, so that what they take away can be answered before."""
        for deletes in (False, True):
            await asyncio.gather(*(self.perform(act, again=True) for act in acts if (act.verb == "delete") is deletes))

    async def household(self, people):
        while True:
            await self.perform(self.choose(people))

    async def reads(self):
        """Somebody looks at his home timeline all the while: newest first, nothing twice, nothing deleted before he asked."""
        while True:
            reader, gone = self.chance.randint(1, PEOPLE), set(self.gone)
            page = (await self.twit.home_timeline(reader, "", 50)).page
            ids = [tweet.tweet_id for tweet in page.tweets]
            if ids != sorted(set(ids), reverse=True) or not gone.isdisjoint(ids):
                self.say(Said(wrong=f"page of {reader}: {ids}"))
            await asyncio.sleep(0.005)


def die_at(aim, lines):
    """SIGKILL ourselves when the `lines`-th line of that file, or of that function in it, is about to run, on whatever thread."""
    file, _, function = aim.partition(":")
    left = lines

    def count(frame, event, _):
        nonlocal left
        if event == "line":
            left -= 1
            if left == 0:
                say(Said(aimed=f"{file}:{frame.f_lineno}"))
                os.kill(os.getpid(), signal.SIGKILL)
        return count

    def trace(frame, _event, _):
        code = frame.f_code
        return count if code.co_filename.endswith(file) and function in {"", code.co_name} else None

    sys.settrace(trace)
    threading.settrace(trace)


async def main(folder):
    orders = msgspec.json.decode(sys.stdin.readline(), type=Orders)
    if orders.aim:
        die_at(orders.aim, orders.lines)
    twit = await open_twit(folder)
    town = Town(twit, orders)
    say(Said(ready=True))
    async with asyncio.TaskGroup() as tasks:
        if orders.consumes:
            tasks.create_task(twit.workers.run(GROUPS, asyncio.Event()))
        if orders.acts:
            await town.repeat(orders.again)
            tasks.create_task(town.reads())
            for people in HOUSEHOLDS:
                tasks.create_task(town.household(people))


if __name__ == "__main__":
    if sys.gettrace() is None:
        asyncio.run(main(sys.argv[1]))
