"""simulate population: what the computed people are, by parameters, by statistics, and one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .arguments import WHO, Who
from .command import Group
from .invocation import terminal
from .output import Sheet, shown
from .simulate_estimate import NUMBER

if TYPE_CHECKING:
    from ..simulate.population.people import Population

F = TypeVar("F", bound=Callable[..., Any])
SEED_MAX = 2**31 - 1
SAMPLE_MAX = 10_000_000
TWEETS_MAX = 200
PARAMETER_COLUMNS = {
    "parameter": "parameter", "value": "value", "low": "low", "high": "high", "unit": "unit", "what": "what", "source": "source", "date": "date",
}  # fmt: skip
FACT_COLUMNS = {
    "section": "section", "fact": "fact", "value": "value", "against": "against", "off": "off", "sample": "sample", "note": "note",
}  # fmt: skip
PERSON_COLUMNS = {
    "user": "username", "name": "display_name", "region": "region", "followers": "followers", "following": "following",
    "celebrities": "pull_width", "tweets/day": "tweets_per_day", "reads/day": "reads_per_day", "seen in 7 days": "resident",
}  # fmt: skip


class _People(Group):
    """Takes `population @u123` for `population person @u123`."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, ["person", *args] if args and args[0].startswith("@") else args)


@click.group(
    "population", cls=_People,
    examples=(
        "twit simulate population show", "twit simulate population stats --users 500M",
        "twit simulate population sample --count 5", "twit simulate population @u123456789",
    ),
)  # fmt: skip
def population() -> None:
    """The people of the simulated world: parameters, statistics, persons.

    Nobody is stored: every account, follow and past tweet is a function of the seed and its number.
    """


def population_options(body: F) -> F:
    """Which population; the command gets an opener of it."""
    options = [
        click.option("--users", type=NUMBER, default="500M", show_default=True, metavar="N", help="How many: 500M, 20k."),
        click.option("--seed", type=click.IntRange(0, SEED_MAX), default=7, show_default=True, help="Another seed, other people."),
        *_parameter_options(),
    ]
    for option in reversed(options):
        body = option(body)
    return body


def _parameter_options() -> list[Callable[[F], F]]:
    return [
        click.option(
            "--preset", default="design", show_default=True, metavar="NAME|FILE",
            help='design, twitter-2013, twitter-2014, or a .toml file over one of them (base = "design").',
        ),
        click.option("--set", "changes", multiple=True, metavar="KEY=N", help="Change one parameter; may be repeated."),
    ]  # fmt: skip


def _opened(users: float, seed: int, preset: str, changes: tuple[str, ...]) -> Population:
    from ..simulate.population.people import open_population

    return open_population(round(users), seed, preset, _overrides(changes))


def _overrides(changes: tuple[str, ...]) -> dict[str, object]:
    found: dict[str, object] = {}
    for change in changes:
        key, sign, value = change.partition("=")
        if not sign:
            what = f"--set {change}: write KEY=N, as --set activity.sigma=1.6"
            raise click.UsageError(what)
        found[key.strip()] = NUMBER.convert(value.strip(), None, None)
    return found


@population.command("show", examples=("twit simulate population show", "twit simulate population show --preset twitter-2013 -o json"))
@click.option("--preset", default="design", show_default=True, metavar="NAME|FILE", help="A preset or a .toml file over one.")
@click.option("--set", "changes", multiple=True, metavar="KEY=N", help="Change one parameter; may be repeated.")
def show(preset: str, changes: tuple[str, ...]) -> None:
    """Show every parameter with its interval, its source and its date."""
    from ..simulate.population.params import load_params

    params = load_params(preset, _overrides(changes))
    rows = [
        {
            "parameter": name, "value": one.value, "low": one.low, "high": one.high, "unit": key.unit, "what": key.what,
            "kind": key.kind, "source": one.source, "date": one.date, "where": one.where,
        }
        for name, one, key in params.rows()
    ]  # fmt: skip
    document = {"schema": "twit.population.parameters/1", "preset": preset, "parameters": rows}
    lines = [line for row in rows for line in _parameter_lines(row)]
    terminal().show(Sheet(rows=rows, columns=PARAMETER_COLUMNS, name="parameter", document=document, lines=lines))


def _parameter_lines(row: Mapping[str, object]) -> list[str]:
    value, low, high = (f"{row[field]:,.10g}" for field in ("value", "low", "high"))
    span = "" if low == high == value else f" [{low} .. {high}]"
    return [
        f"{row['parameter']} = {value}{span} {row['unit']}", f"    {shown(row['what'])}", f"    {shown(row['source'])} ({row['date']})",
    ]  # fmt: skip


@population.command("stats", examples=("twit simulate population stats", "twit simulate population stats --users 5M -o json"))
@population_options
@click.option("--sample", type=NUMBER, default="1M", show_default=True, metavar="N", help="Users looked at; celebrities always all.")
def stats(users: float, seed: int, preset: str, changes: tuple[str, ...], sample: float) -> None:
    """Measure what the population is, beside what was asked for and what is published, and say what it is not."""
    if not 1_000 <= sample <= SAMPLE_MAX:
        raise click.UsageError(f"--sample is 1,000 to {SAMPLE_MAX:,}")
    from ..simulate.population.summary import NOT_MODELLED, facts

    people = _opened(users, seed, preset, changes)
    rows = [asdict(fact) for fact in facts(people, round(sample))]
    document = {
        "schema": "twit.population.stats/1", "users": people.graph.users, "seed": seed, "preset": preset,
        "facts": rows, "not_modelled": list(NOT_MODELLED),
    }  # fmt: skip
    lines = [line for row, before in zip(rows, [None, *rows], strict=False) for line in _fact_lines(row, before)]
    lines += ["", "not in it", *(f"  {line}" for line in NOT_MODELLED)]
    terminal().show(Sheet(rows=rows, columns=FACT_COLUMNS, name="fact", document=document, lines=lines))


def _fact_lines(row: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[str]:
    head = [] if before and before["section"] == row["section"] else [*([""] if before else []), str(row["section"])]
    against = f"  {row['basis']} {_number(row['against'])}" if row["against"] is not None else ""
    off = f" ({row['off']:+.1%})" if row["off"] is not None else ""
    of = f"  n={row['sample']:,}" if row["sample"] else ""
    note = f"  {shown(row['note'])}" if row["note"] else ""
    return [*head, f"  {shown(row['fact']):44} {_number(row['value']):>15}{against}{off}{of}{note}"]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 or value == int(value) else f"{value:,.4g}"


@population.command("sample", examples=("twit simulate population sample", "twit simulate population sample --count 20 --users 20k -o csv"))
@population_options
@click.option("--count", type=click.IntRange(1, 1_000), default=10, show_default=True, help="How many people.")
def sample(users: float, seed: int, preset: str, changes: tuple[str, ...], count: int) -> None:
    """Show some people, evenly drawn."""
    from ..simulate.population.calibrate import sample_users

    people = _opened(users, seed, preset, changes)
    rows = _persons(people, sample_users(people.graph.users, seed, count).tolist())
    terminal().show(Sheet(rows=rows, columns=PERSON_COLUMNS, name="username"))


@population.command("person", examples=("twit simulate population @u123456789", "twit simulate population person 42 --tweets 3"))
@click.argument("who", type=WHO)
@population_options
@click.option("--tweets", "limit", type=click.IntRange(0, TWEETS_MAX), default=10, show_default=True, help="Newest so many.")
def person(who: Who, limit: int, **chosen: Any) -> None:
    """Show one person, with the newest tweets; twit simulate population @u123 does the same."""
    from ..core.clock import SystemClock
    from ..core.errors import NotFound

    people = _opened(**chosen)
    number = who.user_id or (int(who.name[1:]) if who.name[:1] in "uU" and who.name[1:].isdigit() else 0)
    if not 1 <= number <= people.graph.users:
        what = f"no {who} in this population"
        raise NotFound(what, code="NO_USER", meaning="What people add lives in the world context.", try_=f"@u1 to @u{people.graph.users}")
    now_ms = SystemClock().now_ms()
    row = _persons(people, [number - 1])[0]
    entries = people.tweets_of([number - 1], 0, 0, limit, now_ms)[0]
    tweets = _tweets(people, entries[:, 0].tolist(), now_ms)
    row["tweets"] = int(people.tweet_count([number - 1], now_ms)[0])
    lines = [f"{shown(name)}: {shown(value)}" for name, value in row.items()]
    lines += [f"{one['tweet_id']}  {one['created_at']}  {one['kind']:8} {shown(one['text'])}" for one in tweets]
    terminal().show(Sheet(rows=[row], columns=PERSON_COLUMNS, name="username", document=row | {"newest": tweets}, lines=lines))


def _persons(people: Population, ids: list[int]) -> list[dict[str, object]]:
    degrees = (people.graph.in_degree(ids), people.graph.out_degree(ids), people.graph.pull_width(ids))
    rates = (people.tweet_rate(ids), people.read_rate(ids), people.resident(ids))
    return [
        {
            "user_id": user.user_id, "username": user.username, "display_name": user.display_name, "region": user.location,
            "created_ms": user.created_ms, "celebrity": user.is_verified, "followers": followers, "following": following,
            "pull_width": width, "tweets_per_day": round(tweets, 4), "reads_per_day": round(reads, 4), "resident": resident,
        }
        for user, followers, following, width, tweets, reads, resident in zip(
            people.users(ids), *(one.tolist() for one in (*degrees, *rates)), strict=True
        )
    ]  # fmt: skip


def _tweets(people: Population, tweet_ids: list[int], now_ms: int) -> list[dict[str, object]]:
    from datetime import UTC, datetime

    rows: list[dict[str, object]] = []
    for one, counts in zip(people.tweet(tweet_ids, now_ms), people.counts(tweet_ids, now_ms), strict=True):
        if one is None:
            continue
        kind = "retweet" if one.retweet_of else "reply" if one.reply_to else "quote" if one.quote_of else "original"
        of = one.retweet_of or one.reply_to or one.quote_of
        text = one.text or f"retweet of {one.retweet_of} by @u{one.retweet_of_author}"
        rows.append(
            {
                "tweet_id": str(one.tweet_id), "created_at": f"{datetime.fromtimestamp(one.created_ms / 1_000, UTC):%Y-%m-%dT%H:%M:%SZ}",
                "kind": kind, "text": text, "of": str(of) if of else None, "likes": counts.likes, "retweets": counts.retweets,
                "replies": counts.replies, "quotes": counts.quotes,
            }
        )  # fmt: skip
    return rows
