"""Parameters of a population: every figure with its interval and source, and a file refused by its line."""

import pytest

from twit.core.errors import Invalid
from twit.simulate.population.param_keys import KEYS
from twit.simulate.population.params import PRESETS, check_users, load_params


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_says_where_each_figure_is_from(preset):
    params = load_params(preset)
    assert set(KEYS) <= set(params.intervals)
    for name, one, key in params.rows():
        assert one.low <= one.value <= one.high, name
        assert key.low <= one.value <= key.high, name
        assert one.source, name
        assert one.date[:2] == "20", name
        assert one.where.startswith(f"presets/{preset}.toml:"), name


@pytest.mark.parametrize("preset", PRESETS)
def test_active_people_are_separate_inputs_each_at_most_the_one_before(preset):
    params = load_params(preset)
    assert 1 >= params.monthly_share >= params.weekly_share >= params.daily_share > 0


def test_the_design_is_the_system_designs_load():
    params = load_params()
    assert (params.tweets_per_account, params.reads_per_account) == (1, 10)
    assert params["clock.peak"] == 1.62


def test_a_file_changes_what_it_names_and_keeps_the_rest(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('base = "twitter-2013"\n[activity]\nsigma = { value = 1.6, low = 1.5, high = 1.7, source = "mine", date = "2026" }\n')
    params = load_params(str(file))
    assert (params["activity.sigma"], params.intervals["activity.sigma"].source) == (1.6, "mine")
    assert params["load.tweets_per_day"] == 400e6


def test_a_change_for_one_run_is_an_interval_of_one_point():
    one = load_params("design", {"activity.followers_exponent": 0.15}).intervals["activity.followers_exponent"]
    assert (one.value, one.low, one.high) == (0.15, 0.15, 0.15)


BAD = {
    "unknown key": ("[activity]\nsgma = 1", 2, "activity.sigma"),
    "unknown section": ("[people]\nsigma = 1", 2, "sections are"),
    "unknown field": ("[activity]\n\nsigma = { value = 1.4, hihg = 2 }", 3, "its fields are"),
    "no number": ('[activity]\nsigma = "much"', 2, "0.05 to 4"),
    "negative rate": ("[load]\n# a comment\ntweets_per_day = -5", 3, "0 to 1e+12"),
    "outside its interval": ("[activity]\nsigma = { value = 3, low = 1, high = 2 }", 2, "low <= value <= high"),
    "no value": ("[activity]\nsigma = { low = 1, high = 2 }", 2, "value = "),
    "weekly above monthly": ("[accounts]\nweekly = 600e6", 2, "accounts >= monthly"),
    "more followees than users": ("[accounts]\ntotal = 150\nmonthly = 150\nweekly = 150\ndaily = 150", 0, "graph.mean_following <"),
    "a head beyond the population": ("[graph]\ntop_followers = 300e6", 2, "below half"),
    "shares above all": ("[tweets]\nreplies = 0.9", 2, "at most 1"),
    "region without a clock": ("[regions.moon]\nprovinces = 1", 0, "utc_offset"),
    "too many provinces": ("[regions.americas]\nprovinces = 14", 0, "at most 16"),
    "stress below the peak": ("[clock]\nstress_peak = 1.2", 2, "ordinary peak"),
    "not TOML": ("[activity\nsigma", 0, ""),
    "unknown base": ('base = "atlantis"', 1, "design"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_refused_with_its_line_and_what_is_allowed(name, tmp_path):
    text, line, allowed = BAD[name]
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(Invalid) as refused:
        load_params(str(file))
    assert allowed in refused.value.meaning
    assert refused.value.exit_code == 2
    assert f"{file}:{line}" in str(refused.value) if line else True


@pytest.mark.parametrize("users", [0, -1, 3_000_000_000])
def test_populations_that_cannot_be(users):
    with pytest.raises(Invalid, match="population") as refused:
        check_users(users)
    assert "2,000,000,000" in refused.value.meaning


@pytest.mark.parametrize("preset", ["atlantis", "nowhere.toml"])
def test_no_such_preset(preset):
    with pytest.raises(Invalid):
        load_params(preset)
