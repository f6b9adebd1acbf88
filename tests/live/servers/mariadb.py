"""MariaDB with a data directory, a socket and a port of its own; the user `live` may do everything. A second one is `mariadb-2`."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Sequence

from .keys import keys
from .place import HOST, folder, port, render
from .process import run, spawn, wait_for

USER = PASSWORD = "live"
DATABASE = "twit"
GRANTS = f"""
CREATE USER IF NOT EXISTS '{USER}'@'{HOST}' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON *.* TO '{USER}'@'{HOST}' WITH GRANT OPTION;
CREATE DATABASE IF NOT EXISTS {DATABASE};
"""


class MariaDb:
    """Ready is: it answers a ping on its socket, and the user is there."""

    commands = ("mariadbd",)
    stop_s = 60.0

    def __init__(self, number: int = 1) -> None:
        self.name = "mariadb" if number == 1 else f"mariadb-{number}"
        self._port = port(305 + number)

    def ports(self) -> list[int]:
        return [self._port]

    def processes(self) -> list[str]:
        return [self.name]

    def addresses(self) -> list[str]:
        return [f"{HOST}:{self._port}"]

    def install(self) -> None:
        """The Debian package is all."""

    def launch(self, only: Sequence[str]) -> bool:
        where = folder("data", self.name)
        (where / "tmp").mkdir(exist_ok=True)
        settings = render("my.cnf", where / "my.cnf", port=self._port, dir=where, user=getpass.getuser(), keys=keys())
        defaults = f"--defaults-file={settings}"
        if not (where / "data" / "mysql").exists():
            run(f"{self.name}-init", ["mariadb-install-db", defaults, "--auth-root-authentication-method=normal", "--skip-test-db"])
        began = spawn(self.name, ["mariadbd", defaults], where)
        wait_for(self.name, self.ready, [self.name], limit_s=60)
        if began:
            self._client("mariadb", "-e", GRANTS).check_returncode()
        return began

    def ready(self) -> bool:
        return self._client("mariadb-admin", "ping").returncode == 0

    def _client(self, program: str, *words: str) -> subprocess.CompletedProcess[bytes]:
        socket = folder("data", self.name) / "mysqld.sock"
        return subprocess.run([program, f"--socket={socket}", "-uroot", *words], capture_output=True, check=False)
