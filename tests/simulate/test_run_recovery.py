"""After what happened: back as before, or kept down by retries alone, or not to be told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import run_towns as towns

from twit.simulate.fleet.surrogate import Surrogate
from twit.simulate.kinds import TIER_OF, Kind, Tier
from twit.simulate.run.loads import RunLoads
from twit.simulate.run.tiers import tiers_of

BURST = '[events.burst]\nkind = "surge"\nat = "3m"\nlasts = "40s"\nfactor = 2.5\n'
CALLERS = '[rule]\nretry_share = {share}\nretry_attempts = 0\nretry_budget = 1e9\nshed_wait = "600s"\n'


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    return towns.fleet(tmp_path_factory.mktemp("fleets"))


@pytest.fixture(scope="module")
def town(fleet):
    return towns.prepared(fleet)


def asked(tmp_path, fleet, text, duration="20m"):
    path = tmp_path / "mine.toml"
    path.write_text(f'schema = 1\n[run]\nduration = "{duration}"\n[fleet]\nfile = "{fleet}"\n[population]\nusers = {towns.USERS}\n{text}')
    return towns.load_scenario(str(path))


def at_rho(town, scenario, rho):
    """The town with Cassandra so much slower that it is that full, and with the callers of the scenario."""
    servers = tiers_of(Surrogate(town.fleet, town.works), town.inputs, town.day.rule.limits, scenario.rule).servers
    tiers = town.tiers._replace(servers=servers)
    calm = towns.played(town, towns.scenario("steady", scenario.fleet, run__duration="3m"))
    slower = np.array([rho / calm.tiers[Tier.CASSANDRA].rho_peak if TIER_OF[kind] is Tier.CASSANDRA else 1.0 for kind in Kind])
    theta = replace(town.theta, base=town.theta.base * slower, element=town.theta.element * slower, byte=town.theta.byte * slower)
    loads = RunLoads(town.day, tiers, theta, process_hit=town.loads.process_hit, start_s=0, seed=7)
    return town._replace(tiers=tiers, theta=theta, loads=loads)


@pytest.mark.parametrize(("share", "metastable"), [(0.05, False), (0.45, True)])
def test_retries_keep_a_fleet_down_from_one_minus_rho_on(town, fleet, tmp_path, share, metastable):
    one = asked(tmp_path, fleet, BURST + CALLERS.format(share=share))
    run = towns.played(at_rho(town, one, 0.75), one)
    assert run.rows[1].rho["cassandra"] < 0.85 and max(row.rho["cassandra"] for row in run.rows[3:5]) > 1
    assert run.recovery.metastable is metastable
    assert (run.recovery.recovered_s is None) is metastable
    if metastable:
        assert run.rows[-1].rho["cassandra"] > 1 and run.failed_share > 0.3  # though the load is back


def test_callers_who_give_up_let_it_recover(town, fleet, tmp_path):
    one = asked(tmp_path, fleet, BURST)
    run = towns.played(at_rho(town, one, 0.75), one)
    assert run.recovery.recovered_s is not None and not run.recovery.metastable
    assert run.recovery.recovered_s < 60


def test_recovery_is_told_to_the_second(town, fleet):
    run = towns.played(town, towns.scenario("redis-node-loss", fleet, events__loss__at="150s", events__loss__failover="20s", run__duration="6m"))
    assert run.recovery.recovered_s <= 5  # not the rest of the minute in which the node was dead


def test_what_failed_before_is_as_before(town, fleet, tmp_path):
    one = asked(tmp_path, fleet, '[events.n]\nkind = "surge"\nat = "3m"\nlasts = "30s"\nfactor = 1.2\n', "8m")
    run = towns.played(at_rho(town, one, 1.5), one)
    assert run.failing_before > 0.05 and run.rows[1].p99_ms == 5_000  # a page that failed took the deadline
    assert run.recovery.recovered_s is not None
