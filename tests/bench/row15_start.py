"""Row 15: what `twit --help` costs beside `python -c pass`, and how soon `twit serve` answers."""

import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from .figure import Figure, interleaved

BIN = Path(sys.executable).parent / "twit"


def wall(command):
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return (time.perf_counter() - start) * 1000


def help_text():
    ours, bare = interleaved(lambda: wall([str(BIN), "--help"]), lambda: wall([sys.executable, "-c", "pass"]), 15, warm=2)
    return Figure(
        row="15", what="twit --help, beyond python -c pass", unit="ms", against="the bar of 150 ms",
        figures=[one - other for one, other in zip(ours, bare, strict=True)], references=[150.0] * len(ours), bar=1.0, at_least=False,
    )


def first_answer():
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        server = subprocess.Popen(
            [str(BIN), "serve", "--port", "0"], env=os.environ | {"TWIT_DATA": folder}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        try:
            for line in server.stdout:
                found = re.search(r"http://[\d.]+:\d+", line)
                if found:
                    break
            with urllib.request.urlopen(found[0] + "/readyz", timeout=10) as answer:
                assert answer.status == 200
            return (time.perf_counter() - start) * 1000
        finally:
            server.terminate()
            server.wait(20)


def serve():
    taken = [first_answer() for _ in range(5)]
    return Figure(
        row="15", what="twit serve to first 200, new directory", unit="ms", against="the bar of 2 s",
        figures=taken, references=[2000.0] * len(taken), bar=1.0, at_least=False,
    )


ROWS = {"15 help": help_text, "15 serve": serve}
