"""Work measured in one's own stores: fits find what was put in, and the file they become is one that runs read."""

import itertools

import pytest

from twit.core.clock import ManualClock, SystemClock
from twit.core.errors import Invalid
from twit.core.limits import Limits
from twit.core.stores.embedded import open_stores
from twit.simulate.calibrate import SAME_VERB, calibrate
from twit.simulate.calibrate.fit import fit, variation
from twit.simulate.calibrate.measure import Measured, Observed, measure
from twit.simulate.calibrate.probes import UNMEASURED, Probe, probes
from twit.simulate.calibrate.scratch import fill
from twit.simulate.calibrate.toml import Header, work_toml
from twit.simulate.kinds import Counts, Kind, Tier
from twit.simulate.work import Interval, middle, open_work, read_work, work

NOON_MS = 1_800_000_000_000


def invented(asked, seconds, *, loads=(1, 16), rounds=3):
    """As if measured: `seconds(counts, load, round)` of the counts of each probe."""
    observed = [
        Observed(Probe("group", name, None), load, round_, seconds(counts, load, round_))
        for (name, counts), load, round_ in itertools.product(asked.items(), loads, range(rounds))
    ]
    return Measured(observed, asked, dict.fromkeys(asked, 0.5), 0)


READS = {f"{n} of {each}": {Kind.HYDRATE: Counts(1, n, n * each)} for n in (1, 10, 100) for each in (50, 1_000)}


def test_a_fit_finds_base_element_and_byte():
    (found,) = fit(invented(READS, lambda counts, *_: 5e-6 + counts[Kind.HYDRATE].elements * 2e-6 + counts[Kind.HYDRATE].bytes * 1e-9))
    assert {part: round(one.value, 3) for part, one in found.parts.items()} == {"base_us": 5, "element_ns": 2_000, "byte_ns": 1}
    assert found.residual < 1e-6
    assert found.joined == ()


def test_the_value_is_that_of_the_highest_load_and_the_interval_covers_all():
    (found,) = fit(invented(READS, lambda _, load, round_: (100e-6 if load == 1 else 20e-6) * (1 + round_ / 10)))
    base = found.parts["base_us"]
    assert round(base.value) == 22
    assert (base.low, base.high) == (pytest.approx(20, rel=0.05), pytest.approx(120, rel=0.05))


def test_no_part_is_below_nothing_and_what_cannot_be_told_apart_is_said():
    asked = {f"{n}": {Kind.HOME_IDS: Counts(1, n, 16 * n)} for n in (1, 10, 100)}
    (found,) = fit(invented(asked, lambda counts, *_: 10e-6 - counts[Kind.HOME_IDS].elements * 1e-8))
    assert found.joined == ("byte_ns",)
    assert found.parts["element_ns"].value == 0
    assert found.residual > 0.01


def test_what_is_written_in_one_step_is_told_apart():
    asked = {
        "put": {Kind.PUT_TWEET: Counts(1, 1, 80)}, "long": {Kind.PUT_TWEET: Counts(1, 1, 1_080)},
        "reply": {Kind.PUT_TWEET: Counts(1, 1, 80), Kind.COUNT: Counts(1, 1, 8)}, "like": {Kind.LIKE: Counts(1, 1, 16), Kind.COUNT: Counts(1, 1, 8)},
    }  # fmt: skip
    cost = {Kind.PUT_TWEET: 50e-6, Kind.COUNT: 7e-6, Kind.LIKE: 30e-6}
    found = fit(invented(asked, lambda counts, *_: sum(cost[kind] for kind in counts)))
    assert {one.kind: round(one.parts["base_us"].value, 3) for one in found} == {Kind.PUT_TWEET: 50, Kind.LIKE: 30, Kind.COUNT: 7}


async def test_every_probe_asks_for_the_kinds_of_its_group_and_no_two_sizes_are_one(tmp_path):
    stores = open_stores(tmp_path, Limits(), ManualClock(NOON_MS), durable=False, inline=True)
    ticks = itertools.count()
    try:
        scratch = await fill(stores, Limits(), NOON_MS)
        asking = probes(scratch)
        found = await measure(stores, Limits(), asking, loads=(1, 2), rounds=1, slice_s=2, seed=1, now=lambda: float(next(ticks)))
    finally:
        await stores.health.close()
    for probe in asking:
        kinds = set(found.asked[probe.name])
        assert kinds == {Kind[probe.group]} if probe.group != "writes" else kinds <= {Kind.PUT_TWEET, Kind.LIKE, Kind.COUNT, Kind.EVENT}
    assert len(found.asked) == len(asking)
    assert {kind for counts in found.asked.values() for kind in counts} == set(Kind) - set(UNMEASURED) - {Kind.HYDRATE_MISS}
    assert found.asked["timelines.read of 800"][Kind.HOME_IDS] == Counts(1, 800, 12_800)
    assert found.asked["graph.followers of 3000"][Kind.FOLLOWERS_PAGE].elements == 3_000
    assert found.asked["graph.following of 100"][Kind.FOLLOWING].elements == 100


async def test_stores_are_measured_and_the_file_is_read_as_work(tmp_path):
    clock = SystemClock()
    stores = open_stores(tmp_path, Limits(), clock, durable=False)
    try:
        found = await calibrate(stores, Limits(), clock, loads=(1, 4), rounds=2, slice_s=0.001)
    finally:
        await stores.health.close()
    text = work_toml(Header("mine", "2026-11-23", "measured here", Interval(0, 0, 0)), found.fitted, found.variation, open_work())
    works = read_work(text, "mine.toml")
    assert works.untrusted == [Tier.GATEWAY]
    assert set(found.kept) == {Kind.REQUEST}
    assert works.priors[Kind.REQUEST].parts == open_work().priors[Kind.REQUEST].parts
    assert works.priors[Kind.HOME_IDS].source == "measured here"
    assert SAME_VERB in text
    assert 0 < work(Kind.HYDRATE, 50, 20_000, middle(works)) < 0.1
    assert set(variation(found.measured)) == set(Tier) - {Tier.GATEWAY}
    with pytest.raises(Invalid, match="mine.toml"):
        read_work(text.replace("[kinds.PUSH]", "[kinds.PUHS]"), "mine.toml")
