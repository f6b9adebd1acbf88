"""Accounts over several servers: what is left when the process that makes one is killed, sleeps, or meets another."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from parts import ListedLog, config
from parts_mysql import no_tweets, open_empty

from twit.core.clock import ManualClock
from twit.core.errors import Conflict, StoreTimeout
from twit.core.limits import Limits
from twit.core.model import NewAccount
from twit.core.stores.live import mysql
from twit.core.stores.live.mysql import sweeper
from twit.core.stores.live.mysql.accounts import STALE_MS

pytestmark = pytest.mark.live

START_MS = 1_750_000_000_000
TESTS = Path(__file__).parents[1]

# A process that stops for ever before one of the steps, to be killed there.
STOPS = """
import asyncio, sys

sys.path[:0] = sys.argv[1:3]
from test_mysql_accounts import new, opened_again
import msgspec

def stop_before(owner, name):
    async def stopped(*_, **__):
        print("stopped", flush=True)
        await asyncio.sleep(1_000)
    setattr(owner, name, stopped)

async def main():
    stores = await opened_again()
    step, what = sys.argv[3:5]
    owners = {"ids": stores.accounts.ids, "directory": stores.accounts.directory, "accounts": stores.accounts}
    owner, _, name = step.partition(".")
    stop_before(owners[owner], name)
    if what == "create":
        await stores.accounts.create([new("ada"), new("bob")])
    else:
        (user,) = await stores.accounts.get([1])
        await stores.accounts.update(msgspec.structs.replace(user, email="new@x.org"), [])

asyncio.run(main())
"""


def new(name: str) -> NewAccount:
    return NewAccount(username=name, email=f"{name}@x.org", password_hash="h", display_name=name, created_ms=7)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture
async def stores(clock: ManualClock):
    opened = await open_empty(config("mysql_accounts"), Limits(), clock, ListedLog())
    yield opened
    await opened.close()


async def opened_again(clock: ManualClock | None = None) -> mysql.MysqlStores:
    """A second process's, over the same rows."""
    return await mysql.open_mysql(config("mysql_accounts"), Limits(), clock or ManualClock(START_MS), ListedLog(), no_tweets)


async def killed_before(step: str, what: str) -> None:
    command = [sys.executable, "-c", STOPS, str(TESTS), str(TESTS / "live"), step, what]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert await process.stdout.readline() == b"stopped\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def everybody(stores: mysql.MysqlStores) -> list[tuple[int, str]]:
    return [(user.user_id, user.username) for user in await stores.accounts.page(0, 1_000)]


async def left_over(stores: mysql.MysqlStores) -> int:
    """Rows that only somebody in the middle of something may have."""
    sql = "SELECT (SELECT COUNT(*) FROM directory WHERE claim > 0) + (SELECT COUNT(*) FROM id_grants)"
    return sum(row[0] for row in await stores.shards.read_all(lambda session: session.row(sql)))


@pytest.mark.parametrize("step", ["directory.reserve", "accounts._insert"])
async def test_killed_before_the_row_the_names_become_free_and_the_ids_are_given_again(stores, clock, step) -> None:
    (first,) = await stores.accounts.create([new("first")])
    await killed_before(step, "create")
    if step == "accounts._insert":
        with pytest.raises(Conflict):
            await stores.accounts.create([new("ada")])
    assert await stores.accounts.ids_of(["ada"]) == [0]
    (after,) = await stores.accounts.create([new("after")])
    await stores.sweep()
    assert await left_over(stores) > 0  # too young to be taken away
    clock.advance(STALE_MS / 1_000 + 1)
    swept = await stores.sweep()
    assert (swept.ids_freed, swept.confirmed) == (2, 0)
    ada, bob, cleo = await stores.accounts.create([new("ada"), new("bob"), new("cleo")])
    assert sorted(user.user_id for user in (first, after, ada, bob, cleo)) == [1, 2, 3, 4, 5]
    assert await stores.accounts.ids_of(["ada", "BOB"]) == [ada.user_id, bob.user_id]
    assert await left_over(stores) == 0


@pytest.mark.parametrize("step", ["directory.confirm", "accounts._unclaim", "ids.done"])
async def test_killed_after_the_row_the_account_stands(stores, clock, step) -> None:
    await killed_before(step, "create")
    assert await stores.accounts.ids_of(["ada", "bob"]) == [1, 2]
    with pytest.raises(Conflict):
        await stores.accounts.create([new("ada")])
    clock.advance(STALE_MS / 1_000 + 1)
    swept = await stores.sweep()
    assert (swept.freed, swept.ids_freed) == (0, 0)
    assert await everybody(stores) == [(1, "ada"), (2, "bob")]
    assert await left_over(stores) == 0
    assert len(await stores.outbox.waiting(START_MS + 1, 10)) == 2  # the events that nobody told


@pytest.mark.parametrize(("step", "email"), [
    ("directory.release", "ada@x.org"), ("accounts._rewrite", "ada@x.org"), ("directory.settle", "new@x.org"),
])
async def test_killed_while_the_e_mail_changes_one_of_the_two_is_held_and_the_other_free(stores, clock, step, email) -> None:
    await stores.accounts.create([new("ada")])
    await killed_before(step, "update")
    clock.advance(STALE_MS / 1_000 + 1)
    await stores.sweep()
    assert (await stores.accounts.get([1]))[0].email == email
    assert await left_over(stores) == 0
    other = "new@x.org" if email == "ada@x.org" else "ada@x.org"
    with pytest.raises(Conflict):
        await stores.accounts.create([msgspec.structs.replace(new("eve"), email=email)])
    assert await stores.accounts.create([msgspec.structs.replace(new("eve"), email=other)])


async def test_who_sleeps_until_his_name_is_another_s_writes_nothing(stores, clock) -> None:
    sleeper, asleep, go_on = await opened_again(), asyncio.Event(), asyncio.Event()
    insert = sleeper.accounts._insert

    async def sleep_first(*args) -> None:
        asleep.set()
        await go_on.wait()
        await insert(*args)

    sleeper.accounts._insert = sleep_first
    slow = asyncio.create_task(sleeper.accounts.create([new("ada")]))
    await asleep.wait()
    clock.advance(STALE_MS / 1_000 + 1)
    await stores.sweep()
    (ada,) = await stores.accounts.create([new("ada")])
    go_on.set()
    with pytest.raises(StoreTimeout):
        await slow
    await sleeper.close()
    assert await everybody(stores) == [(1, "ada")]
    assert await stores.accounts.ids_of(["ada"]) == [ada.user_id]


async def test_ids_that_lie_apart_are_all_given_again(stores, clock, monkeypatch) -> None:
    made = [(await stores.accounts.ids.grant(1, claim, 0))[0] for claim in range(1, 20)]
    for claim in range(1, 20, 2):
        await stores.accounts.ids.give_back(claim, [made[claim - 1]], [made[claim - 1]])
    for claim in range(2, 20, 2):
        await stores.accounts.ids.done(claim)  # as if these stood
    apart = await stores.accounts.ids.grant(10, 77, START_MS)
    assert apart == [*range(1, 19, 2), 19]
    monkeypatch.setattr(sweeper, "SWEEP_MAX", 3)  # a sweep sees a part of the claim only
    clock.advance(STALE_MS / 1_000 + 1)
    assert [(await stores.sweep()).ids_freed for _ in range(5)] == [3, 3, 3, 1, 0]
    assert sorted(await stores.accounts.ids.grant(10, 78, START_MS)) == apart


async def test_of_many_who_want_one_name_one_gets_it_and_ids_stay_dense(stores, clock) -> None:
    other = await opened_again()

    async def attempt(number: int) -> int:
        accounts = (stores, other)[number % 2].accounts
        try:
            (user,) = await accounts.create([new(f"name{number % 5}")])
        except Conflict:
            return 0
        return user.user_id

    made = [user_id for user_id in await asyncio.gather(*(attempt(number) for number in range(40))) if user_id]
    await other.close()
    assert len(made) == 5
    more = await stores.accounts.create([new(f"more{number}") for number in range(60 - len(made))])
    assert sorted([*made, *(user.user_id for user in more)]) == [*range(1, 61)]
    assert await left_over(stores) == 0


async def test_e_mails_that_change_at_once_leave_one_held_by_each(stores, clock) -> None:
    other = await opened_again()
    (ada,) = await stores.accounts.create([new("ada")])

    async def change(number: int) -> None:
        wanted = msgspec.structs.replace(ada, email=f"{number}@x.org")
        await (stores, other)[number % 2].accounts.update(wanted, [])

    await asyncio.gather(*(change(number) for number in range(6)))
    await other.close()
    (now,) = await stores.accounts.get([1])
    free = {f"{number}@x.org" for number in range(6)} | {"ada@x.org"} - {now.email}
    assert now.email != "ada@x.org"
    await stores.accounts.create([msgspec.structs.replace(new(f"u{at}"), email=email) for at, email in enumerate(free - {now.email})])
    assert await left_over(stores) == 0
