"""A disk that is really full, under a service with its threads and consumers: a small file system where this machine lets us mount
one for a process of its own, and a quota on the size of files, which needs no rights."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MOUNT = ["sh", "-c", 'mount -t tmpfs -o size=6m tmpfs "$0" && exec "$@"']
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def may_mount(folder):
    return shutil.which("unshare") and not subprocess.run(["unshare", "-rm", *MOUNT, folder, "true"], capture_output=True).returncode


def run(folder, how):
    command = [sys.executable, "-m", "tests.crash.small_disk", str(folder), how]
    if how == "mount":
        command = ["unshare", "-rm", *MOUNT, str(folder), *command]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def goes_on(came):
    """What must be so however the disk was full."""
    assert came["acknowledged"] > 1
    assert all(name in {"StoreFull", "StoreDown"} and meaning for name, _, meaning in came["errors"]), came["errors"]
    assert len(came["errors"]) > 5
    assert came["own_while_full"]
    assert came["homes"] == [True, True]
    assert came["parked"] == 0
    assert came["delivered"] == [True]


def test_a_quota_that_is_used_up_is_told_and_nothing_acknowledged_is_lost(tmp_path):
    goes_on(run(tmp_path, "quota"))


def test_a_full_file_system_is_told_and_nothing_acknowledged_is_lost(tmp_path):
    how = "mount" if may_mount(tmp_path) else "quota"
    came = run(tmp_path, how)
    goes_on(came)
    if how == "mount":
        assert {code for _, code, _ in came["errors"]} == {"STORE_FULL"}
        assert "MiB are free" in came["health"]["disk"]
        # a group that had nothing to record when the disk filled up has met no fault
        assert all(said == "ok" or said.startswith("StoreFull") for said in came["states"].values()), came["states"]
        assert [code for code, _ in came["commands"]] == [5, 5]
        assert all("STORE_FULL" in said and "Traceback" not in said for _, said in came["commands"])
