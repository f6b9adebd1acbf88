"""docs/simulation.md and docs/population.md are held to the simulator: keys, scenarios, layers, labels, limits, presets."""

import re
import tomllib
from pathlib import Path

from twit.scenarios.loader import described, load_scenario, names
from twit.simulate.population.params import PRESETS, load_params
from twit.simulate.population.shape import THRESHOLD, USERS_MAX, USERS_MIN
from twit.simulate.validate.history import read_history

ROOT = Path(__file__).parent.parent
SIMULATION = (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")
POPULATION = (ROOT / "docs" / "population.md").read_text(encoding="utf-8")


def test_every_key_of_a_scenario_is_on_the_page():
    missing = [name for name, _ in described() if f"`{name.partition(' ')[0]}`" not in SIMULATION]
    assert [name for name in missing if name not in {"schema", "title", "question"}] == []


def test_the_scenarios_of_the_page_are_those_that_there_are():
    (table,) = re.findall(r"\| scenario \| asks \|\n(.*?)\n\n", SIMULATION, re.DOTALL)
    assert sorted(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)) == names()


def test_the_scenario_of_the_page_is_one(tmp_path):
    (text,) = re.findall(r"```toml\n(schema.*?)```", SIMULATION, re.DOTALL)
    assert tomllib.loads(text)["schema"] == 1
    file = tmp_path / "ours.toml"
    file.write_text(text)
    scenario = load_scenario(str(file))
    assert (scenario.users, len(scenario.events), list(scenario.variants)) == (50_000_000, 1, ["pull"])


def test_the_lines_that_the_page_explains_are_printed():
    printed = "".join((ROOT / "simulate" / path).read_text(encoding="utf-8") for path in ("run/text.py", "fleet/plan_text.py"))
    (table,) = re.findall(r"\| line \| says \|\n(.*?)\n\n", SIMULATION, re.DOTALL)
    labels = [label for cell in re.findall(r"^\|(.*?)\|", table, re.MULTILINE) for label in re.findall(r"`([A-Za-z ]+)`", cell)]
    assert len(labels) > 12
    assert [label for label in labels if label not in printed and label.upper() not in printed] == []


def test_the_history_of_the_page_is_that_of_the_file():
    for one in read_history().figures:
        row = next(line for line in SIMULATION.splitlines() if line.startswith(f"| {one.preset.removeprefix('twitter-')} | {one.figure} |"))
        assert row.split("|")[6].strip() == f"{one.bound:g}"
        assert ("**missed**" in row) == bool(one.why)
        assert ("no prediction" in row) == one.calibrated


def test_presets_and_sizes_of_the_population_are_those_that_there_are():
    assert all(f"`{preset}`" in POPULATION for preset in PRESETS)
    assert f"**Users**: {USERS_MIN:,} to {USERS_MAX // 10**9} billion" in POPULATION
    assert f"not {THRESHOLD:,}" in POPULATION
    exponent = load_params("design").intervals["activity.followers_exponent"]
    assert f"`activity.followers_exponent`, {exponent.low:g} to {exponent.high:g}" in POPULATION
