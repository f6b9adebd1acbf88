"""The harness of the real servers, where no server is needed: whose a process is, how it ends, what is refused."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

import pytest
import servers
from servers import install, place, process

NAP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
DEAF = [sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"]


@pytest.fixture(autouse=True)
def own_set(tmp_path, monkeypatch):
    monkeypatch.setattr(place, "SET", tmp_path)
    yield
    process.end(["nap", "deaf"], signal.SIGKILL)


def is_up(name):
    return lambda: "up" in process.tail(name)


def test_a_process_is_started_once_and_outlives_nobody_who_asks(tmp_path):
    assert process.spawn("nap", NAP, tmp_path)
    assert not process.spawn("nap", NAP, tmp_path)
    pid = process.pid_of("nap")
    assert os.getsid(pid) == pid
    assert process.end(["nap"]) == ["nap"]
    assert (process.pid_of("nap"), process.end(["nap"])) == (None, [])


def test_one_that_does_not_listen_is_killed_when_patience_ends(tmp_path):
    process.spawn("deaf", DEAF, tmp_path)
    process.wait_for("it", is_up("deaf"), ["deaf"], limit_s=20)
    began = time.monotonic()
    assert process.end(["deaf"], patience_s=0.3) == ["deaf"]
    assert time.monotonic() - began >= 0.3
    assert process.pid_of("deaf") is None


def test_a_pid_that_another_process_got_is_not_taken_for_ours(tmp_path):
    (place.folder("run") / "nap.pid").write_text(f"{os.getpid()} 1\n")
    assert process.pid_of("nap") is None
    assert process.end(["nap"], signal.SIGKILL) == []


def test_one_that_dies_while_waited_for_is_told_with_the_end_of_its_log(tmp_path):
    process.spawn("nap", [sys.executable, "-c", "print('no space'); raise SystemExit(3)"], tmp_path)
    with pytest.raises(servers.Trouble, match=r"nap died(.|\n)*no space"):
        process.wait_for("it", lambda: False, ["nap"], limit_s=20)


def test_waiting_has_an_end(tmp_path):
    process.spawn("nap", NAP, tmp_path)
    with pytest.raises(servers.Trouble, match="in vain"):
        process.wait_for("it", lambda: False, ["nap"], limit_s=0.1)


def test_a_port_that_another_has_is_refused_with_what_to_do():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        server = servers.MariaDb()
        server._port = held.getsockname()[1]
        with pytest.raises(servers.Trouble, match="choose another TWIT_LIVE_BASE"):
            servers._check_ports(server, server.processes())


def test_jars_lie_by_the_hash_of_what_asked_for_them(tmp_path, monkeypatch):
    monkeypatch.setattr(install, "FILES", tmp_path)
    (tmp_path / "kafka.pom.xml").write_text("one")
    first = install.jars_folder("kafka")
    (tmp_path / "kafka.pom.xml").write_text("two")
    assert install.jars_folder("kafka") != first


def test_a_name_that_is_none_is_refused():
    with pytest.raises(servers.Trouble, match="there are redis"):
        servers.start("oracle")
