"""Rung 7: a real small system under open-loop load: the embedded service of this package, asked for home pages over HTTP.

Fitted on loads up to half the knee; from that the queues predict p50 and p99 at loads up to 80 % of the knee they predict, and
the knee itself. Above it only the direction is predicted. Misses stay in the table.

Known to be missing in the model: a server that finds several requests waiting takes them up together, which costs less for each.
So knees come out some 7 to 15 % too low, and p99 near the knee too high; lighter loads show nothing of it to fit by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...core.clock import Clock
from .service_model import Fitted, Met, fit, predict, together
from .service_run import Service, serving
from .service_world import Shape

P50_WITHIN, P99_WITHIN, KNEE_WITHIN = 0.10, 0.25, 0.10
GUESS, WARM_S, ROUGH_S, ABOVE_S = 500.0, 6.0, 2.5, 4.0  # requests a second to warm up with and to see how fast it is, and for how long
FITTED, TESTED, ABOVE = (0.3, 0.4, 0.48), (0.5, 0.6, 0.7, 0.78), 1.3  # of the knee, as the first round sees it
LIGHTER = 0.6  # of the requests of a window, where no tail is looked at
SETTLE_S = 0.3  # of a window, in which connections are opened: not looked at
DISTURBED, TRIES = 0.01, 2  # share of a window in which something else ran in the server's place; windows to try then

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `bound`: of the relative error; None: only the direction is predicted."""

    what: str
    predicted: float
    measured: float
    unit: str
    bound: float | None
    holds: bool
    note: str = ""

    @property
    def error(self) -> float:
        """Relative to what was measured."""
        return self.predicted / self.measured - 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """All of it; `fitted` is what the prediction stands on, `how` what the machine allowed."""

    rows: Sequence[Row]
    fitted: Fitted
    how: str


def compare(clock: Clock, *, rounds: int = 3, requests: int = 2_800, shape: Shape | None = None, tell: Tell = lambda _, __, ___: None) -> Report:
    """Start the service, load it and compare; `requests` of a load in a round. A minute or more: p99 of few says little.

    Each round goes over all loads, so that a machine that is faster now than then is so for all of them; the prediction is
    made from the loads that are fitted alone, and knows nothing of the others.
    """
    with serving(clock, shape or Shape()) as service:
        tell("warming up", 0, rounds)
        service.load(GUESS, WARM_S, seed=1)
        service.go_first()
        knee = fit([service.load(GUESS, ROUGH_S, seed=2).later(SETTLE_S)], enough=5).knee
        light: list[Met] = []
        heavy: dict[float, list[Met]] = {share * knee: [] for share in TESTED}
        held_up = 0.0
        for n in range(rounds):
            tell("rounds", n, rounds)
            for at, rate in enumerate([*(share * knee for share in FITTED), *heavy]):
                wanted = requests if rate in heavy else requests * LIGHTER
                met, share = _window(service, rate, SETTLE_S + wanted / rate, 100 * n + at)
                (light if at < len(FITTED) else heavy[rate]).append(met)
                held_up = max(held_up, share)
        service.go_with_others()
        above = service.load(ABOVE * knee, ABOVE_S, seed=90)
        how = "server and load on cores of their own, before all else" if service.foremost else "server and load among other processes"
    fitted = fit(light)
    return Report([*_tested(fitted, heavy), *_knee(fitted, heavy, above)], fitted, f"{how}; others, the host included, ran in the server's place for at most {held_up:.1%} of a window")


def _window(service: Service, rate: float, seconds: float, seed: int) -> tuple[Met, float]:
    """One load, and the share of it in which other processes ran in the server's place; once more where that was much."""
    found: list[tuple[float, Met]] = []
    for attempt in range(TRIES):
        before = service.held_up_s()
        met = service.load(rate, seconds, seed + 10_000 * attempt)
        found.append(((service.held_up_s() - before) / seconds, met))
        if found[-1][0] <= DISTURBED:
            break
    share, met = min(found, key=lambda one: one[0])
    return met.later(SETTLE_S), share


def _tested(fitted: Fitted, heavy: Mapping[float, Sequence[Met]]) -> Iterator[Row]:
    for rate, windows in heavy.items():
        said, met = predict(fitted, rate), together(windows)
        drift = fit(windows).work_s / fitted.work_s - 1.0
        note = f"{met.due.size} requests, whose work was {drift:+.1%} of what was fitted"
        for name, q, predicted, bound in (("p50", 0.5, said.p50, P50_WITHIN), ("p99", 0.99, said.p99, P99_WITHIN)):
            measured = met.quantile(q)
            what = f"{name} at {rate:.0f} requests/s, {rate / fitted.knee:.0%} of the predicted knee"
            yield Row(what, predicted * 1e3, measured * 1e3, "ms", bound, abs(predicted / measured - 1.0) <= bound, note)


def _knee(fitted: Fitted, heavy: Mapping[float, Sequence[Met]], above: Met) -> Iterator[Row]:
    """More than it can do: what it does then is the knee, and waits must have grown."""
    measured = above.throughput
    yield Row("knee", fitted.knee, measured, "requests/s", KNEE_WITHIN, abs(fitted.knee / measured - 1.0) <= KNEE_WITHIN)
    below = max(together(windows).quantile(0.5) for windows in heavy.values())
    beyond = above.quantile(0.5)
    what = f"p50 at {above.rate:.0f} requests/s, {above.rate / fitted.knee:.0%} of the predicted knee: above"
    yield Row(what, 2e3 * below, 1e3 * beyond, "ms", None, beyond > 2 * below, "only the direction is predicted: at least twice that of the heaviest load below")
