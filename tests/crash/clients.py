"""Gateways, workers and commands as processes of their own, and people over HTTP: a logged-in person's session and connection."""

import hashlib
import http.client
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from twit.core.model import Session
from twit.core.workers import GROUPS

ROOT = Path(__file__).parent.parent.parent
PAGE = 20


def token_of(person):
    return f"token-of-{person}"


def session_of(person):
    """As if this person had logged in."""
    return Session(hashlib.sha256(token_of(person).encode()).digest(), person, 0)


class Client:
    """One connection of a logged-in person."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, method, path, person=0, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers |= {"authorization": f"Bearer {token_of(person)}"} if person else {}
        headers |= {"content-type": "application/json"} if body is not None else {}
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read() or "null")

    def home(self, person, cursor="", limit=PAGE):
        status, page = self.ask("GET", f"/api/v1/timeline/home?limit={limit}" + (f"&cursor={cursor}" if cursor else ""), person)
        assert status == 200, page
        return [int(tweet["tweet_id"]) for tweet in page["tweets"]], page

    def groups(self):
        _, ready = self.ask("GET", "/readyz")
        return {group: ready["parts"][f"consumer {group}"] for group in GROUPS}


class Processes:
    """Commands of `twit` that run by themselves, in a home of their own with these settings. None outlives `end`."""

    def __init__(self, home, settings):
        self.home, self.processes = home, []
        self.env = os.environ | {
            "HOME": str(home), "XDG_STATE_HOME": "", "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": "", "TWIT_RATE_LIMITS": "off",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        } | settings  # fmt: skip

    def start(self, *command, **more):
        process = subprocess.Popen(command, cwd=self.home, env=self.env, text=True, stdout=subprocess.PIPE, **more)
        self.processes.append(process)
        return process

    def twit(self, *args, **more):
        return self.start(sys.executable, "-c", "from twit.cli import main; main()", *map(str, args), **more)

    def done(self, *args):
        """Exit code and stdout of a command; stderr where it failed."""
        process = self.twit(*args, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=120)
        self.processes.remove(process)
        return process.returncode, out if not process.returncode else err

    def serve(self, *args, **more):
        process = self.twit("serve", "--port", 0, *args, **more)
        line = process.stdout.readline()
        return process, int(re.search(r"http://127\.0\.0\.1:(\d+)", line)[1])

    def kill(self, process):
        """kill -9, and no more of it."""
        process.kill()
        process.wait()
        process.stdout.close()
        self.processes.remove(process)

    def end(self):
        for process in list(self.processes):
            self.kill(process)


def until(condition, seconds):
    """How long it took to come about."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not come about"
        time.sleep(0.02)
    return time.monotonic() - began
