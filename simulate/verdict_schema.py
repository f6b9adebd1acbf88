"""What `run` and `plan` answer, as JSON: every field of it, versioned. Tables and pages show the same fields.

Everything but `timing` is the same bytes for the same seed. A number that cannot be told (too few samples, no steady state, not
sized) is null. Fields are only added within a version; `json_schema()` is the schema itself.
"""

from __future__ import annotations

import math
from typing import Any, cast

import msgspec

SCHEMA = "twit.verdict/1"
Number = float | None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """`mode`: drawn, exact, or estimate where nothing was run."""

    id: str
    seed: int
    commit: str
    mode: str
    preset: str
    prices_date: str


class Slo(msgspec.Struct, frozen=True, kw_only=True):
    """`limit` as written; `ci` of `value`; `n` samples, of which `n_eff` count as independent."""

    metric: str
    limit: str
    value: Number
    ci: list[Number]
    n: int
    n_eff: int
    first_breach: str | None
    duration_s: Number
    worst: Number
    holds: bool


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """What saturates first. `knee_x`: load over present load at which it is full; `headroom_x`: at which its limits are."""

    tier: str
    shard: int | None
    resource: str
    utilisation: Number
    knee_x: Number
    headroom_x: Number
    n1_headroom_x: Number


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """What an input would have to be for the answer to be another."""

    input: str
    value: float


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`held`: share of worlds in which it holds. Exactly one of `recovered_s` and `metastable` is set after a trigger."""

    holds: bool
    held: Number
    slo: list[Slo]
    binding: Binding | None
    recovered_s: Number
    metastable: bool | None
    why: list[str]
    flips: list[Flip]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Operations a second, of a window and a region ("all": all of them). From `offered` on: calls of all tiers, copies too."""

    t: str
    region: str
    reads: Number
    tweets: Number
    pushes: Number
    pulls: Number
    hydrates: Number
    rebuilds: Number
    likes: Number
    offered: Number
    served: Number
    shed: Number
    timed_out: Number
    retried: Number


class Mem(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes."""

    payload: float
    encoding: float
    fragmentation: float
    replica: float
    cow: float


class HotKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that weighs on its shard, and its share of one server."""

    key: str
    share: float


class TierState(msgspec.Struct, frozen=True, kw_only=True):
    """One tier. Utilisations: 1 is full. `status`: sized | unsized | not named."""

    tier: str
    instances: int
    nodes: int
    role: str
    rho_mean: Number
    rho_peak: Number
    cpu: Number
    mem: Mem | None
    disk: Number
    net: Number
    hot_shard_x: Number
    hot_keys: list[HotKey]
    hit_ratio: Number
    cold_users: Number
    stall_budget_s_day: Number
    status: str
    stalls_s_day: Number = None  # what they amount to


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds. `estimate`: queue, core (sampled through the real core) or closed; `diff`: between the two, as a ratio."""

    op: str
    cohort: str
    region: str
    p50: Number
    p99: Number
    p999: Number
    ci: list[Number]
    n: int
    n_eff: int
    estimate: str
    diff: Number


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """From post to follower, seconds."""

    follower_class: str
    p50: Number
    p99: Number
    max: Number
    lag_s: Number
    backlog: Number


class TierPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes needed in the worlds; `nodes` is what to have, N+1 included; `regret`: dollars a year that this choice costs more
    than the best one would, mean over the worlds."""

    tier: str
    choice: str
    nodes_p5: int | None
    nodes_p50: int | None
    nodes_p95: int | None
    nodes: int | None
    have: int | None
    binding: str
    headroom_x: Number
    lasts_years: Number
    cost_yr: Number
    runner_up: str | None
    runner_up_cost_yr: Number
    regret: Number
    flips_at: Flip | None
    status: str


class CostYear(msgspec.Struct, frozen=True, kw_only=True):
    """Dollars a year; `cdn` null: excluded, and named so."""

    by_tier: dict[str, float]
    storage: float
    egress: float
    cdn: Number
    backup: float
    zones: float
    regions: float
    total: float
    per_million_reads: float
    per_tweet: float
    excluded: list[str]


class InputRow(msgspec.Struct, frozen=True, kw_only=True):
    """`rank` 1 decided most. `elasticity`: per cent of what binds (or of cost) for one per cent of it."""

    name: str
    value: float
    low: float
    high: float
    source: str
    date: str
    kind: str
    grade: str
    measured: bool
    rank: int | None
    elasticity: Number


class Reconcile(msgspec.Struct, frozen=True, kw_only=True):
    """Two sides that must be equal."""

    identity: str
    lhs: float
    rhs: float


class SurrogateError(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one world: by the surrogate, and by a full run of that world."""

    world: int
    metric: str
    surrogate: float
    full: float


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """The same run with some settings changed, beside it. Latency in ms of the worst minute."""

    name: str
    home_p99_ms: Number
    failed_share: Number
    rebuilds: int
    recovered_s: Number
    metastable: bool | None
    redis_rho_peak: Number


class CoreKind(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one kind that a page of the sampled core makes, as shards see calls, and what the run's loads say of it."""

    kind: str
    calls: Number
    elements: Number
    loads_calls: Number


class CoreSample(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway process of the real core, played through the queues' delays. Its latencies stand among `latency`, those of
    `estimate: core`; beside them, of cohort "warm, same seconds", what the queues' own sample says of those seconds.

    `rate_x`: how many processes' requests it was given; `hits`: of the distinct things that pages looked up, the share that the
    process had; `hits_early` of the first half of the pages; `failed`: by reason; `saw`: of those who came for the event's tweet,
    the share that found it on their page."""

    from_s: float
    seconds: float
    warmed: int
    pages: int
    cold: int
    called: int
    rate_per_s: float
    rate_x: float
    mean_ms: Number
    queue_mean_ms: Number
    hits: dict[str, Number]
    hits_early: dict[str, Number]
    process_hit: Number
    process_hit_assumed: float
    failed: dict[str, int]
    saw: Number
    reactions: int
    reactions_failed: int
    kinds: list[CoreKind]


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """When a tier no longer fits: years from the day that is played, and the date; at the middle growth, and at its ends (`low`:
    growing slowest). Null: not within twenty years."""

    tier: str
    years: Number
    date: str | None
    years_low: Number
    years_high: Number


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """People and load of next year over this year's, and which tier of the fleet ends when, the first one first."""

    per_year: float
    low: float
    high: float
    horizon_years: float
    ends: list[Ends]


class RuleRegret(msgspec.Struct, frozen=True, kw_only=True):
    """What the threshold between push and pull costs beside the best choice for each pair of author and reader.

    `costs`: in what a push of an entry (`push_cost`) and a pull of a list (`pull_cost`) are told, "equal" or "redis seconds".
    `by_rule`, `best`, `all_pushed`, `all_pulled`: of those, a day and sampled reader. `regret`: by how much the rule is above the
    best, 0 being none, with its standard error."""

    costs: str
    threshold: int
    push_cost: float
    pull_cost: float
    readers: int
    pairs: int
    by_rule: float
    best: float
    all_pushed: float
    all_pulled: float
    regret: Number
    regret_error: Number


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    schema: str
    run: Run
    verdict: Verdict
    load: list[Load]
    tiers: list[TierState]
    latency: list[Latency]
    delivery: list[Delivery]
    plan: list[TierPlan]
    cost: CostYear | None
    inputs: list[InputRow]
    surrogate_error: list[SurrogateError]
    reconcile: list[Reconcile]
    absent: list[str]
    timing: dict[str, float]
    variants: list[Variant] = []
    growth: Growth | None = None
    core: CoreSample | None = None
    rule_regret: list[RuleRegret] = []


def json_schema() -> dict[str, Any]:
    """JSON Schema of `Document`."""
    return msgspec.json.schema(Document)


def plain(document: Document) -> dict[str, object]:
    """As `json` takes it, every number rounded to seven digits; no NaN, no infinity."""
    return cast("dict[str, object]", _finite(msgspec.to_builtins(document)))


def checked(value: object) -> Document:
    """The document of a JSON value. Raises `msgspec.ValidationError` that names the field."""
    return msgspec.convert(value, Document)


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value
