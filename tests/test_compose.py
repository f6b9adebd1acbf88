"""compose.yaml: what stands in its comment reaches what it publishes, which is what `make live` starts; Compose itself reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import servers
import yaml
from servers import install

from twit.cli.live import live_config
from twit.core import settings

FILE = Path(__file__).parents[1] / "compose.yaml"
SERVICES = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
STANDARD_BASE = 7_000


def published(service):
    """host:port of each port that a service is published at."""
    for entry in SERVICES[service]["ports"]:
        host, outside, _ = entry.rsplit(":", 2)
        first, _, last = outside.partition("-")
        yield from (f"{host}:{port}" for port in range(int(first), int(last or first) + 1))


def test_it_publishes_what_the_harness_starts():
    shifted = {name: [f"127.0.0.1:{int(one.rpartition(':')[2]) - servers.BASE + STANDARD_BASE}" for one in them] for name, them in servers.addresses().items()}
    assert {name: list(published(name)) for name in ("redis", "cassandra", "kafka")} == {name: them for name, them in shifted.items() if name != "mariadb"}
    assert list(published("mysql")) == shifted["mariadb"]


def test_the_context_of_its_comment_reaches_it(tmp_path):
    comment = "\n".join(line.removeprefix("#   ") for line in FILE.read_text(encoding="utf-8").splitlines() if line.startswith("#   "))
    (tmp_path / "twit.toml").write_text(comment)
    (tmp_path / "mysql-password").write_text("live")
    (tmp_path / "mysql-password").chmod(0o600)
    found = live_config(settings.load({"HOME": str(tmp_path)}, tmp_path).named("staging"))
    assert found.redis.addresses == tuple(published("redis"))
    assert (found.cassandra.addresses, found.kafka.addresses) == (tuple(published("cassandra")), tuple(published("kafka")))
    made = SERVICES["mysql"]["environment"]
    assert found.mysql.addresses == tuple(published("mysql"))
    assert (found.namespace, found.mysql.user, found.mysql.password) == (made["MARIADB_DATABASE"], made["MARIADB_USER"], made["MARIADB_PASSWORD"])


@pytest.mark.parametrize("service", SERVICES)
def test_every_image_is_of_one_version_and_every_port_is_on_loopback(service):
    assert re.fullmatch(r"[\w/]+:\d+\.\d+\.\d+(-\w+)?", SERVICES[service]["image"])
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[service]["ports"])
    assert "healthcheck" in SERVICES[service]


@pytest.mark.live
def test_compose_reads_it():
    install.packages(install.missing(["docker-compose"]))
    done = subprocess.run([shutil.which("docker-compose"), "-f", FILE, "config"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == set(SERVICES)
