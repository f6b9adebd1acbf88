"""A MariaDB of one test's own, in a folder that goes with it: for what must never be done to servers that others use."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

CONF = """
[mariadbd]
datadir={dir}/data
socket={dir}/sock
pid-file={dir}/pid
tmpdir={dir}/tmp
bind-address=127.0.0.1
port={port}
user={user}
skip-name-resolve
innodb_buffer_pool_size=32M
innodb_log_file_size=16M
innodb_flush_log_at_trx_commit=2
performance_schema=OFF
skip-log-bin
"""
# What `twit` needs once `twit context init` was run by somebody who may make databases.
GRANTS = """
CREATE USER 'owner'@'127.0.0.1' IDENTIFIED BY 'owner';
GRANT ALL ON *.* TO 'owner'@'127.0.0.1';
CREATE USER 'least'@'127.0.0.1' IDENTIFIED BY 'least';
GRANT SELECT, INSERT, UPDATE, DELETE ON `own\\_%`.* TO 'least'@'127.0.0.1';
"""


class OwnMariaDb:
    """`start` again after `signal(SIGKILL)` goes on with the same data; `stop` ends it and takes the folder away."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._folder = Path(tempfile.mkdtemp(prefix="twit-db-"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        settings, made = self._folder / "my.cnf", (self._folder / "data").exists()
        defaults = f"--defaults-file={settings}"
        if not made:
            (self._folder / "tmp").mkdir()
            settings.write_text(CONF.format(dir=self._folder, port=self.port, user=getpass.getuser()))
            install = ["mariadb-install-db", defaults, "--auth-root-authentication-method=normal", "--skip-test-db"]
            subprocess.run(install, check=True, capture_output=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(["mariadbd", defaults], stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 30
        while self._client("mariadb-admin", "ping").returncode:
            assert time.monotonic() < deadline, (self._folder / "log").read_text()[-3_000:]
            time.sleep(0.05)
        if not made:
            self._client("mariadb", "-e", GRANTS).check_returncode()

    def sql(self, statement: str) -> str:
        done = self._client("mariadb", "-N", "-e", statement)
        done.check_returncode()
        return done.stdout.decode().strip()

    def signal(self, what: signal.Signals) -> None:
        assert self._process
        os.kill(self._process.pid, what)
        if what is signal.SIGKILL:
            self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _client(self, program: str, *words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([program, f"--socket={self._folder}/sock", "-uroot", *words], capture_output=True, check=False)
