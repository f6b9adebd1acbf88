"""Scenario files: the built-in ones are read whole, and what cannot be is refused with its line."""

import pytest

from twit.core.errors import Invalid
from twit.scenarios.keys import AMOUNTS, KEYS, METRICS
from twit.scenarios.loader import described, load_scenario, names, varied
from twit.simulate.run.scenario import Delivery, Happening, Lists

GOOD = 'schema = 1\n[run]\nduration = "10m"\n[events.one]\nkind = "post"\nat = "1m"\nfollowers = "2M"\n'


def of(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


def test_the_built_in_scenarios_are_these_and_each_asks_something():
    assert names() == ["celebrity-spike", "growth", "redis-node-loss", "steady", "thundering-herd"]
    for name in names():
        scenario = load_scenario(name)
        assert scenario.question.endswith("?")
        assert scenario.slo
        for variant in scenario.variants:
            assert varied(name, {}, variant) != scenario


def test_the_spike_is_what_its_file_says():
    spike = load_scenario("celebrity-spike")
    (event,) = spike.events
    assert (event.kind, event.at_s, event["followers"]) == (Happening.POST, 600, 100e6)
    assert (event.amounts["open_share"].low, event.amounts["open_half"].high) == (0.01, 120)
    assert (spike.start_s, spike.duration_s, spike.users) == (3 * 3600 + 2400, 2400, 500_000_000)
    assert varied("celebrity-spike", {}, "push, one worker").rule.delivery is Delivery.PUSH


def test_settings_of_the_command_line_win(tmp_path):
    changes = {"events.one.followers": "30M", "rule.lists": "redis", "population.users": "50M", "rule.celebrity_followers_min": "5000", "slo.home_read_p99_ms": 100}
    scenario = load_scenario(of(tmp_path, GOOD), changes)
    assert (scenario.events[0]["followers"], scenario.rule.lists, scenario.users) == (30e6, Lists.REDIS, 50_000_000)
    assert (scenario.rule.celebrity_followers_min, scenario.slo) == (5_000, {"home_read_p99_ms": 100})


def test_a_run_with_one_setting_replaced_by_an_interval_keeps_nothing_of_the_bare_number(tmp_path):
    path = of(tmp_path, GOOD.replace('followers = "2M"', 'followers = { value = "2M", low = "1M", high = "3M", source = "me" }'))
    assert load_scenario(path).events[0].amounts["followers"].source == "me"
    assert load_scenario(path, {"events.one.followers": "9M"}).events[0].amounts["followers"].high == 9e6


@pytest.mark.parametrize(("change", "says"), [
    (("schema = 1", "schema = 2"), r"mine.toml:1: schema: 2 is not within 1 to 1"),
    (("at = ", "when = "), r"mine.toml:6: there is no events.one.when"),
    (('"10m"', '"soon"'), r"mine.toml:3: run.duration: 'soon' is not a length of time"),
    (('"10m"', '"30s"'), r"mine.toml:3: run.duration: 30 is not within 60 to"),
    (('"1m"', '"11m"'), r"mine.toml:6: events.one.at: it happens 660 s in; the run plays 600 s"),
    (('"post"', '"party"'), r"mine.toml:5: events.one.kind: 'party' is not one of post"),
    (('"2M"', "0"), r"mine.toml:7: events.one.followers: 0 is not within 1 to"),
    (('"2M"', "{ value = 5, low = 6, high = 7 }"), r"mine.toml:7: events.one.followers: 5 is not within its interval 6 to 7"),
    (('"2M"', "{ low = 6 }"), r"mine.toml:7: events.one.followers: it has no value"),
    (('"2M"', "{ value = 6, hihg = 7 }"), r"mine.toml:7: there is no events.one.followers.hihg"),
    (("[run]", "[runs]"), r"mine.toml:3: there is no runs.duration"),
    (("[run]", "[slo]\nhome_p99 = 3\n[run]"), r"mine.toml:3: there is no slo.home_p99"),
    (("[run]", "[rule]\nlists = 'memory'\n[run]"), r"mine.toml:3: rule.lists: 'memory' is not one of redis, ttl, events"),
    (("[run]", "[rule]\nsingle_flight = 3\n[run]"), r"mine.toml:3: rule.single_flight: 3 is neither"),
    (("[run]", "[population]\nusers = 0\n[run]"), r"mine.toml:3: population.users: 0 is not within 10000 to 2e\+09"),
    (('"2M"', '"500_000_001"'), r"mine.toml:7: events.one.followers: 500,000,001 are more than the 500,000,000 accounts"),
    (('kind = "post"\n', ""), r"mine.toml:\d: events.one: it has no kind"),
])  # fmt: skip
def test_what_cannot_be_is_refused_with_its_line(tmp_path, change, says):
    with pytest.raises(Invalid, match=says):
        load_scenario(of(tmp_path, GOOD.replace(*change)))


def test_everybody_may_follow_the_account_that_posts(tmp_path):
    assert load_scenario(of(tmp_path, GOOD.replace("2M", "500M"))).events[0]["followers"] == 500e6


@pytest.mark.parametrize("name", ["steadyy", "nowhere.toml"])
def test_a_scenario_that_is_not_there_is_refused(name):
    with pytest.raises(Invalid, match=name):
        load_scenario(name)


def test_every_key_says_what_it_is():
    assert all(about for _, about in described())
    assert len(dict(described())) == len(KEYS) + len(METRICS) + sum(map(len, AMOUNTS.values()))
    assert dict(described())["events.NAME.followers (post)"] == "of the account that posts"
