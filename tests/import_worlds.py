"""Worlds that imports made, as tests need them: small files of the real formats, runs that are killed on the way, an end state
to compare, and faults planted where an audit must find them."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
from ops_builders import plant, raw_row

from twit.core.ports import Stores
from twit.core.service import Twit
from twit.ops.batches import sampled

REPOSITORY = Path(__file__).parents[1]
PEOPLE = 60
DIES = """
import os, signal, sys
from twit.cli import contexts, main, progress
from twit.ops.imports import activity, people
step, share = sys.argv.pop(1).rsplit(":", 1)
people.BATCH, activity.TWEETS_A_BATCH = int(sys.argv[1]), int(sys.argv.pop(1))
people.batches.__defaults__ = (people.BATCH,)
contexts.TELL_EVERY_S = 0
tell = progress.Progress.step

def dies(self, name, done, total):
    tell(self, name, done, total)
    if name == step and total and done >= float(share) * total:
        os.kill(os.getpid(), signal.SIGKILL)

progress.Progress.step = dies
main()
"""


def activity_lines(rows: int = 1_500, seed: int = 3) -> list[str]:
    """As the Higgs file has them: everybody names @u88, some are named far more than others, some name themselves."""
    rng = random.Random(seed)
    second = 1_341_100_972
    lines = [f"{actor} 88 {second} RT" for actor in range(1, PEOPLE)]
    for _ in range(rows - len(lines)):
        second += rng.choice((0, 0, 1, 30))
        target = min(PEOPLE, int(rng.paretovariate(0.7)))
        lines.append(f"{rng.randint(1, PEOPLE)} {target} {second} {rng.choice(('RT', 'RT', 'MT', 'RE'))}")
    return lines


def activity_file(folder: Path, lines: list[str]) -> Path:
    """The lines in a gzip."""
    path = folder / "activity_time.txt.gz"
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return path


def run(data: Path, *args: object, dies: str = "", batch: int = 5_000, **limits: int) -> subprocess.CompletedProcess[str]:
    """A command as a process of its own on this data directory. `dies`, as "tweets:0.5": kill -9 in the middle of that step."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("TWIT_", "XDG_"))}
    env |= {"HOME": str(data.parent), "TWIT_DATA": str(data)} | {f"TWIT_LIMITS_{name.upper()}": str(value) for name, value in limits.items()}
    command = ["-c", DIES, dies, str(batch)] if dies else ["-c", "from twit.cli import main; main()"]
    return subprocess.run(
        [sys.executable, *command, *map(str, args)], env=env, cwd=data.parent, capture_output=True, text=True, check=False, timeout=900,
    )


def ok(data: Path, *args: object, **more: int) -> str:
    """The stdout of a command that must succeed."""
    done = run(data, *args, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def exported(data: Path, **limits: int) -> list[list[dict[str, object]]]:
    """All users, follows and tweets with their counts, but for the moments at which accounts were made."""
    found = [[json.loads(line) for line in ok(data, "export", what, **limits).splitlines()] for what in ("users", "follows", "tweets")]
    for user in found[0]:
        del user["created_at"]
    return found


async def rows_of(stores: Stores, limit: int, now_ms: int) -> dict[int, tuple[int, list[list[int]]]]:
    """Each cached timeline: how far down it is complete, and its entries newest first."""
    found, after = {}, 0
    while len(part := await stores.timelines.residents(after, 4_096, now_ms)):
        for reader in part.tolist():
            row = await stores.timelines.read(reader, 0, limit, now_ms)
            found[reader] = row.complete_back_to, row.entries.tolist()
        after = int(part[-1])
    return found


async def planted(twit: Twit, share: float, seed: int, now_ms: int) -> dict[str, int]:
    """One fault of each kind in a reader of his own, among those whom an audit of this share and seed looks at: cause → reader."""
    everybody = await rows_of(twit.stores, twit.limits.timeline_entries_max, now_ms)
    looked_at = sampled(np.array(sorted(everybody), np.int64), share, seed).tolist()
    long = [reader for reader in looked_at if len(everybody[reader][1]) >= 8]
    lost, doubled, moved = long[:3]
    row = await raw_row(twit, lost)
    plant(twit, lost, [*row[:2], *row[3:]], everybody[lost][0])
    row = await raw_row(twit, doubled)
    plant(twit, doubled, [*row[:2], row[1], *row[2:]], everybody[doubled][0])
    row = await raw_row(twit, moved)
    plant(twit, moved, [row[0], *row[2:6], row[1], *row[6:]], everybody[moved][0])
    for blocker in long[3:]:
        row = await raw_row(twit, blocker)
        authors = [tweet.author_id for tweet in await twit.stores.tweets.get([one for one, _ in row]) if tweet and not tweet.retweet_of]
        others = [author for author in authors if author != blocker]
        if others:
            await twit.block(blocker, others[0])
            await twit.workers.drain()
            plant(twit, blocker, row, everybody[blocker][0])
            return {"lost": lost, "duplicate": doubled, "misplaced": moved, "filtered": blocker}
    raise AssertionError("nobody follows anybody who says anything")
