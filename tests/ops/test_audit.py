"""`twit ops audit`: nothing to find in a healthy world, and every planted fault found and named."""

import builders
import numpy as np
import pytest
from ops_builders import Watcher, audited, plant, raw_row, rebuild_job

from twit.core.errors import Invalid
from twit.core.events import Event, EventKind, LoggedEvent
from twit.core.ids import id_at
from twit.ops.audit import Auditor, checks_of
from twit.ops.audit_people import MendPeople
from twit.ops.naive import Facts, eyes_of, naive_home
from twit.ops.readonly import read_only
from twit.ops.rebuild_timeline import Selection


class Village:
    """A service, and its people and tweets by name."""

    def __init__(self, twit):
        self.twit = twit

    def __getattr__(self, name):
        return getattr(self.twit, name)


@pytest.fixture
async def village(twit, clock):
    """Ada follows ben, cy and dee; everybody has posted, and dee has retweeted ben."""
    twit = Village(twit)
    twit.ada, twit.ben, twit.cy, twit.dee, twit.eve = await builders.make_users(twit, "ada ben cy dee eve")
    await builders.make_friends(twit, *((twit.ada, one) for one in (twit.ben, twit.cy, twit.dee)), (twit.ben, twit.ada))
    twit.posted = []
    for at in range(6):
        for author in (twit.ada, twit.ben, twit.cy, twit.dee, twit.eve):
            clock.advance(1)
            twit.posted.append(await twit.post(author, f"{at} of {author}"))
    twit.shared = await twit.retweet(twit.dee, twit.posted[1].tweet_id)
    await builders.settle(twit)
    return twit


def of(found, cause):
    return [one for one in found.differences if one.cause == cause]


@pytest.mark.parametrize("check", ["timelines", "graph", "counts"])
async def test_a_healthy_world_has_no_differences(village, clock, check):
    found = await audited(village, clock, check)
    assert (found.differences, found.looked_at, found.population) == ((), 5, 5)


async def test_an_entry_removed_is_lost(village, clock):
    row = await raw_row(village, village.ada)
    gone = row.pop(3)
    plant(village, village.ada, row)
    found = await audited(village, clock)
    assert [one.detail for one in of(found, "lost")] == [str(gone[0])] and set(found.causes) == {"lost", "shown"}


async def test_an_entry_doubled_is_a_duplicate(village, clock):
    row = await raw_row(village, village.ada)
    plant(village, village.ada, [*row[:2], row[1], *row[2:]])
    found = await audited(village, clock)
    assert [one.detail.split()[0] for one in of(found, "duplicate")] == [str(row[1][0])]
    assert not of(found, "misplaced") and not of(found, "lost")


async def test_an_entry_out_of_its_place_is_misplaced(village, clock):
    row = await raw_row(village, village.ada)
    moved = row.pop(1)
    plant(village, village.ada, [*row[:6], moved, *row[6:]])
    found = await audited(village, clock)
    assert [one.detail.split()[0] for one in of(found, "misplaced")] == [str(moved[0])] and not of(found, "lost")


async def test_an_entry_with_another_original_is_misplaced(village, clock):
    row = [[one, ref if one != village.shared.tweet_id else village.posted[0].tweet_id] for one, ref in await raw_row(village, village.ada)]
    plant(village, village.ada, row)
    found = await audited(village, clock)
    assert [one.detail.split(":")[0] for one in of(found, "misplaced")] == [str(village.shared.tweet_id)]


async def test_an_id_that_is_no_tweet_is_misplaced(village, clock):
    row = await raw_row(village, village.ada)
    stray = row[2][0] + 1
    plant(village, village.ada, [*row[:2], [stray, 0], *row[2:]])
    found = await audited(village, clock)
    assert [one.detail for one in of(found, "misplaced")] == [f"{stray}: no tweet has this id"]


async def test_a_blocked_one_kept_should_have_been_filtered(village, clock):
    before = await raw_row(village, village.ada)
    await village.block(village.ada, village.cy)
    await builders.settle(village)
    assert (await audited(village, clock)).differences == ()
    plant(village, village.ada, before)
    found = await audited(village, clock)
    assert len(of(found, "filtered")) == 6 and f"author {village.cy} is blocked" in of(found, "filtered")[0].detail


async def test_an_unfollowed_one_and_a_deleted_tweet_kept_should_have_been_filtered(village, clock):
    before = await raw_row(village, village.ada)
    await village.unfollow(village.ada, village.cy)
    await village.delete(village.dee, village.posted[3].tweet_id)
    await builders.settle(village)
    plant(village, village.ada, before)
    found = of(await audited(village, clock), "filtered")
    assert sum("is not followed" in one.detail for one in found) == 6 and sum("deleted" in one.detail for one in found) == 1


async def test_a_tail_cut_off_without_saying_so_is_a_gap(open_twit, clock):
    twit = await open_twit(timeline_entries_max=5)
    ada, ben = await builders.make_users(twit, "ada ben")
    await builders.make_friends(twit, (ada, ben))
    for at in range(9):
        clock.advance(1)
        await twit.post(ben, str(at))
    await builders.settle(twit)
    assert (await audited(twit, clock)).differences == ()
    plant(twit, ada, await raw_row(twit, ada), floor=0)
    found = await audited(twit, clock)
    assert [one.item for one in of(found, "gap")] == [ada] and "too low" in of(found, "gap")[0].detail


async def test_a_row_of_which_nothing_may_be_relied_on_is_a_gap(village, clock):
    row = await raw_row(village, village.ada)
    plant(village, village.ada, row, floor=row[0][0] + 1)
    assert "too high" in of(await audited(village, clock), "gap")[0].detail
    plant(village, village.ada, row, floor=id_at(clock.now_ms() + 30 * 86_400_000))
    assert of(await audited(village, clock), "gap")


async def test_what_is_still_on_its_way_is_late_and_no_difference(village, clock):
    clock.advance(1)
    await village.post(village.ben, "not delivered yet")
    found = await audited(village, clock)
    assert found.differences == () and found.late == 1


async def test_an_event_out_of_the_way_is_named_parked(village, clock):
    row = await raw_row(village, village.ada)
    gone = row.pop(0)
    plant(village, village.ada, row)
    event = Event(kind=EventKind.TWEET_CREATED, key=1, actor=1, tweet=gone[0])
    await village.stores.work.park("fanout", LoggedEvent(1, event), "poison", clock.now_ms())
    assert [one.detail for one in of(await audited(village, clock), "parked")] == [str(gone[0])]


async def test_an_audit_writes_nothing_and_keeps_nobody_active(village, clock):
    clock.advance(3 * 86_400)
    before = [await village.stores.timelines.read(one, 0, 50, clock.now_ms()) for one in range(1, 6)]
    await audited(village, clock)
    after = [await village.stores.timelines.read(one, 0, 50, clock.now_ms()) for one in range(1, 6)]
    assert [(row.seen_ms, row.mark) for row in before] == [(row.seen_ms, row.mark) for row in after]


async def test_people_not_seen_for_long_are_not_looked_at(village, clock):
    clock.advance(8 * 86_400)
    assert (await audited(village, clock)).population == 0


async def test_repair_is_a_rebuild_of_those_concerned(village, clock, tmp_path):
    healthy = await raw_row(village, village.ada)
    plant(village, village.ada, [*healthy[4:], healthy[4]])
    found = await audited(village, clock)
    await rebuild_job(village, clock, tmp_path, Selection(asked=found.items)).start(())
    assert await raw_row(village, village.ada) == healthy and (await audited(village, clock)).differences == ()


async def test_pulled_authors_may_stand_in_a_row_or_not(open_twit, clock):
    twit = await open_twit(celebrity_followers_min=2, celebrity_followers_exit=1)
    star, *fans = await builders.make_users(twit, "star ann bob cid")
    await builders.make_friends(twit, *((fan, star) for fan in fans[:2]))
    await twit.post(star, "pushed")
    await builders.make_friends(twit, (fans[2], star))
    clock.advance(1)
    await twit.post(star, "pulled")
    await builders.settle(twit)
    assert (await audited(twit, clock)).differences == ()
    assert await builders.home(twit, fans[0]) == await builders.home(twit, fans[2])


async def test_the_naive_page_agrees_with_the_service_over_every_relation(village, clock):
    await village.mute(village.ada, village.cy)
    await village.post(village.ben, "to eve", reply_to=village.posted[4].tweet_id)
    await village.post(village.ben, "to ada", reply_to=village.posted[0].tweet_id)
    await village.block(village.eve, village.ada)
    await village.post(village.dee, "hello @eve")
    fay = await builders.make_user(village, "fay")
    await village.retweet(village.dee, (await village.post(fay, "unheard of")).tweet_id)
    await village.follow(village.ada, village.dee, retweets=False)
    await village.update_profile(village.ben, {"is_private": True})
    await builders.settle(village)
    facts = Facts(village.stores, village.limits)
    for reader in range(1, 6):
        eyes = await eyes_of(village.stores, reader)
        assert await naive_home(village.stores, facts, village.limits, eyes, 200) == await builders.home(village, reader)


async def test_one_sided_edges_are_found_and_mended(village, clock):
    stores = village.stores
    await stores.graph.unfollow([(village.ada, village.cy)], [[]])
    found = await audited(village, clock, "graph")
    assert {one.cause for one in found.differences} == {"one-sided"} and set(found.items) == {village.cy}
    mend = MendPeople(stores, "graph", found.items)
    assert await mend.apply(np.array(found.items)) == {"mended": 1} and await mend.verify(np.array(found.items)) == []
    assert (await audited(village, clock, "graph")).differences == ()


async def test_counts_that_drifted_are_found_and_counted_again(village, clock):
    tweet = village.posted[1].tweet_id
    await village.like(village.ada, tweet)
    await builders.settle(village)
    stores = village.stores
    await stores.engagement._db.writer.run(lambda conn: conn.execute("UPDATE tweet_counts SET likes = 41 WHERE tweet_id = ?", (tweet,)))
    found = await audited(village, clock, "counts")
    assert [one.detail for one in found.differences] == [f"likes of tweet {tweet}: 41 stated, 1 counted"]
    mend = MendPeople(stores, "counts", found.items)
    await mend.apply(np.array(found.items))
    assert (await audited(village, clock, "counts")).differences == ()


async def test_a_share_is_looked_at_and_stated(village, clock):
    auditor = Auditor(read_only(village.stores), village.limits, clock, Watcher(), share=0.4, seed=3, wait_ms=0)
    found = await auditor.check("timelines")
    assert (found.population, found.looked_at) == (5, 2)


def test_checks_are_named_or_refused():
    assert checks_of("timelines, graph,timelines") == ["timelines", "graph"]
    for text in ("", ",", "timelines,media"):
        with pytest.raises(Invalid):
            checks_of(text)
