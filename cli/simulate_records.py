"""Run folders of the simulator: what was asked and what came out, so that it can be compared and played again."""

from __future__ import annotations

import getpass
import random
from typing import NamedTuple

import msgspec

from .. import __version__
from ..core.clock import SystemClock
from ..core.errors import StoreCorrupt
from ..core.runs import Manifest, Outcome, Run, Runs, redacted
from ..simulate.verdict_schema import Document, plain
from .simulate_run import records_folder

SHOWN_MAX = 400


class Asked(msgspec.Struct, frozen=True):
    """What a run was called with."""

    scenario: str
    changes: dict[str, object]
    variants: bool
    work: str
    core: bool = True
    check: int = 0


class Recorded(NamedTuple):
    """A run that was kept."""

    run_id: str
    asked: Asked
    document: Document


def kept(asked: Asked, document: Document) -> str:
    """Write a run folder and return its id: manifest, options, document and outcome."""
    clock = SystemClock()
    manifest = Manifest(
        run_id="", procedure="simulate run", command=("twit", "simulate", "run", asked.scenario), context="", actor=getpass.getuser(),
        version=__version__, seed=document.run.seed, settings=redacted(asked.changes), started_ms=0,
    )  # fmt: skip
    run = _runs(clock).create("sim", manifest)
    run.write("options.json", msgspec.json.format(msgspec.json.encode(asked)))
    run.write("document.json", msgspec.json.format(msgspec.json.encode(plain(document))))
    status = "done" if document.verdict.holds else "mismatch"
    minutes = len(document.load)
    run.finish(Outcome(run_id=run.run_id, status=status, done=minutes, total=minutes, tally={}, ended_ms=clock.now_ms()))
    return run.run_id


def recorded(name: str) -> Recorded:
    """A run by its id, or `last`. Raises `NotFound`, `Invalid`, `StoreCorrupt`."""
    run = _runs(SystemClock()).open(name)
    try:
        return Recorded(run.run_id, msgspec.json.decode(_file(run, "options.json"), type=Asked), msgspec.json.decode(_file(run, "document.json"), type=Document))
    except msgspec.DecodeError as error:
        raise StoreCorrupt(f"{run.folder} cannot be read: {error}", try_="play it again") from error


def _file(run: Run, name: str) -> bytes:
    raw = run.read(name)
    if raw is None:
        raise StoreCorrupt(f"{run.folder} has no {name}", meaning="it was stopped before its end", try_="play it again")
    return raw


def _runs(clock: SystemClock) -> Runs:
    return Runs(records_folder(), clock, random.Random())


def same(before: Document, now: Document) -> bool:
    """Whether both are the same bytes but for timing."""
    one, other = (plain(msgspec.structs.replace(document, timing={})) for document in (before, now))
    return msgspec.json.encode(one) == msgspec.json.encode(other)


def differences(before: Document, now: Document) -> list[dict[str, object]]:
    """Every number and word of the two that differs, with the ratio of numbers."""
    one, other = (_flat(plain(msgspec.structs.replace(document, timing={})), "") for document in (before, now))
    rows = []
    for field in sorted(one.keys() | other.keys()):
        was, becomes = one.get(field), other.get(field)
        if was != becomes:
            numbers = isinstance(was, int | float) and isinstance(becomes, int | float) and was
            rows.append({"field": field, "before": was, "now": becomes, "ratio": becomes / was if numbers else None})  # type: ignore[operator]  # both are, then
    return rows[:SHOWN_MAX]


def _flat(value: object, path: str) -> dict[str, object]:
    """Dotted path → leaf. Rows of a list are named by what names them."""
    if isinstance(value, dict):
        return {name: leaf for key, one in value.items() for name, leaf in _flat(one, f"{path}.{key}" if path else str(key)).items()}
    if isinstance(value, list):
        return {name: leaf for at, one in enumerate(value) for name, leaf in _flat(one, f"{path}[{_named(one, at)}]").items()}
    return {path: value}


def _named(one: object, at: int) -> str:
    if isinstance(one, dict):
        for key in ("tier", "metric", "name", "identity", "t", "follower_class", "cohort"):
            if key in one:
                return str(one[key])
    return str(at)
