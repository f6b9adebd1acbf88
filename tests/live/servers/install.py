"""What a new machine lacks: Debian packages, and jars by Maven. Installs nothing that is there; never starts a service.

Jars lie in a folder named by the hash of their pom, filled beside it and renamed when it is whole, so that an interrupted
download leaves nothing that looks finished.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from .place import FILES, HOME, Trouble
from .process import run

JAVA_MAJOR = "17"  # Cassandra 5.0 sets a security manager, which newer ones do not have
PACKAGES = {  # command → Debian package
    "redis-server": "redis-server",
    "mariadbd": "mariadb-server",
    "java": f"openjdk-{JAVA_MAJOR}-jre-headless",
    "mvn": "maven",
    "docker-compose": "docker-compose",
}
POLICY = Path("/usr/sbin/policy-rc.d")  # exit code 101: the packages' own services must not start
_one_download = threading.Lock()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time: two runs may meet."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def java_home() -> Path | None:
    """A JDK or runtime of the version that all of these servers run on."""
    given = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    for home in [*given, *sorted(Path("/usr/lib/jvm").glob("*"))]:
        release = home / "release"
        if release.exists() and f'JAVA_VERSION="{JAVA_MAJOR}.' in release.read_text() and (home / "bin" / "java").exists():
            return home
    return None


def java() -> str:
    """The command. Raises `Trouble` where there is none."""
    home = java_home()
    if home is None:
        raise Trouble(f"no Java {JAVA_MAJOR} in JAVA_HOME or /usr/lib/jvm: apt-get install {PACKAGES['java']}")
    return str(home / "bin" / "java")


def _there(command: str) -> bool:
    if command == "java":
        return java_home() is not None
    return shutil.which(command, path=f"{os.environ.get('PATH', '')}:/usr/sbin") is not None


def missing(commands: Iterable[str]) -> list[str]:
    """The packages of those that are not there."""
    return sorted({PACKAGES[command] for command in commands if not _there(command)})


def packages(names: list[str]) -> None:
    """Install them by apt. Raises `Trouble` where that needs another user or fails."""
    if not names:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Trouble(f"these are missing and only root can install them: apt-get install --no-install-recommends {' '.join(names)}")
    own = not POLICY.exists()
    if own:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120", *names]
        _update()
        run("apt-install", install, quiet)
    finally:
        if own:
            POLICY.unlink()


@cache
def _update() -> None:
    run("apt-update", ["apt-get", "update", "-q"])


def jars_folder(name: str) -> Path:
    """Where the jars of `files/name.pom.xml` lie, whether they are there or not."""
    return HOME / "jars" / f"{name}-{hashlib.sha256(_pom(name).read_bytes()).hexdigest()[:12]}"


def jars(name: str) -> Path:
    """Return the folder with the jars of `files/name.pom.xml`, downloaded where they are not there yet."""
    folder = jars_folder(name)
    with _one_download, locked(HOME):  # Maven's own repository bears one at a time
        if folder.exists():
            return folder
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        command = [
            "mvn", "-q", "-B", "-f", str(_pom(name)), "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={part}",
        ]
        home = java_home()
        run(f"{name}-jars", command, {"JAVA_HOME": str(home)} if home else {})
        part.rename(folder)
    return folder


def _pom(name: str) -> Path:
    return FILES / f"{name}.pom.xml"
