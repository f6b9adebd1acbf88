"""A live context over servers that speak TLS only and know their users: the grants of docs/live.md, statement by statement."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import servers

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "live.md").read_text(encoding="utf-8")
BASE = servers.BASE + 500  # beside the set of the other live tests
PORTS = {name: [int(one.rpartition(":")[2]) + 500 for one in them] for name, them in servers.addresses().items()}
OWNER, SERVES, PASSWORD = "twit_owner", "twit", "change-me"
ADMINS = {"redis": ("default", "admin"), "kafka": ("admin", "admin"), "mariadb": ("live", "live"), "cassandra": ("cassandra", "cassandra")}
pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


def statements(kind):
    """Blocks of the page of this kind, each a list of lines."""
    return [block.strip().splitlines() for block in re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]


@pytest.fixture(scope="module")
def ca():
    """The authority of a set of servers that was started empty; stopped at the end."""
    environment = os.environ | {"TWIT_LIVE_BASE": str(BASE), "TWIT_LIVE_SECURE": "1"}

    def tell(*words):
        subprocess.run([sys.executable, "-m", "tests.live.servers", *words], cwd=ROOT, env=environment, check=True, timeout=240)

    tell("wipe")
    tell("up")
    yield servers.SET.with_name(f"{BASE}-secure") / "keys" / "ca.pem"
    tell("wipe")


def grant_mysql(ca):
    import pymysql

    user, password = ADMINS["mariadb"]
    connection = pymysql.connect(host="127.0.0.1", port=PORTS["mariadb"][0], user=user, password=password, ssl={"ca": str(ca)})
    for line in statements("sql")[0]:
        connection.cursor().execute(line)
    connection.close()


def grant_redis(ca):
    import redis

    for port in PORTS["redis"]:
        node = redis.Redis(port=port, password=ADMINS["redis"][1], ssl=True, ssl_ca_certs=str(ca))
        for line in statements("redis")[0]:
            assert node.execute_command(*line.split())
        node.close()


def grant_cassandra(ca, block):
    from cassandra.auth import PlainTextAuthProvider
    from cassandra.cluster import Cluster

    context = ssl.create_default_context(cafile=ca)
    (port,) = PORTS["cassandra"]
    cluster = Cluster(["127.0.0.1"], port=port, protocol_version=5, auth_provider=PlainTextAuthProvider(*ADMINS["cassandra"]), ssl_context=context)
    session = cluster.connect()
    for line in statements("cql")[block]:
        session.execute(line)
    cluster.shutdown()


def grant_kafka(ca):
    """What the lines of Kafka's own tools say, by the client: the tools are not among the broker's jars."""
    from kafka import KafkaAdminClient
    from kafka.admin import (
        ACL,
        ACLOperation,
        ACLPermissionType,
        ACLResourcePatternType,
        ResourcePattern,
        ResourceType,
        UserScramCredentialUpsertion,
    )

    user, password = ADMINS["kafka"]
    (port,) = PORTS["kafka"]
    admin = KafkaAdminClient(
        bootstrap_servers=[f"127.0.0.1:{port}"], security_protocol="SASL_SSL", ssl_context=ssl.create_default_context(cafile=ca),
        sasl_mechanism="SCRAM-SHA-512", sasl_plain_username=user, sasl_plain_password=password,
    )  # fmt: skip
    parser = argparse.ArgumentParser()
    for option in ("--bootstrap-server", "--command-config", "--entity-type", "--entity-name", "--add-config", "--allow-principal", "--topic", "--group",
                   "--resource-pattern-type"):  # fmt: skip
        parser.add_argument(option)
    for flag in ("--alter", "--add"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--operation", action="append")
    for line in (line for block in statements("sh") for line in block if line.startswith("kafka-")):
        said = parser.parse_args(shlex.split(line)[1:])
        if said.alter:
            mechanism, given = re.fullmatch(r"(SCRAM-SHA-512)=\[password=(.*)\]", said.add_config).groups()
            admin.alter_user_scram_credentials([UserScramCredentialUpsertion(said.entity_name, mechanism, given, iterations=4096)])
            continue
        kind, name = (ResourceType.TOPIC, said.topic) if said.topic else (ResourceType.GROUP, said.group)
        pattern = ResourcePattern(kind, name, ACLResourcePatternType[said.resource_pattern_type.upper()])
        operations = [re.sub(r"(?<=[a-z])(?=[A-Z])", "_", one).upper() for one in said.operation]
        made = admin.create_acls([ACL(said.allow_principal, "*", ACLOperation[one], ACLPermissionType.ALLOW, pattern) for one in operations])
        assert not made["failed"]
    admin.close()


def write(home, ca):
    (home.folder / "secret").write_text(PASSWORD)
    (home.folder / "secret").chmod(0o600)
    addresses = {"redis": PORTS["redis"], "cassandra": PORTS["cassandra"], "mysql": PORTS["mariadb"], "kafka": PORTS["kafka"]}
    lines = []
    for context, user in (("owner", OWNER), ("far", SERVES)):
        lines += [f"[contexts.{context}]", 'kind = "live"', "partitions = 1"]
        for server, ports in addresses.items():
            listed = json.dumps([f"127.0.0.1:{port}" for port in ports])
            lines += [f"{server} = {listed}", f'{server}_user = "{user}"', f'{server}_ca_file = "{ca}"', f'{server}_password_file = "{home.folder / "secret"}"']
    home.local_file.write_text("\n".join(lines))


@pytest.fixture
def far(home, ca):
    write(home, ca)
    return home


def status(home):
    rows = json.loads(home.twit("context", "check", "far", "-o", "json").stdout)["checks"]
    return {row["name"]: row["code"] for row in rows if row["name"] in PORTS | {"mysql": 0}}


def test_nobody_is_let_in_before_the_grants(far):
    assert set(status(far).values()) == {"STORE_DOWN"}


def test_the_owner_makes_the_schemas_by_these_grants(far, ca):
    grant_mysql(ca)
    grant_redis(ca)
    grant_cassandra(ca, 0)
    grant_kafka(ca)
    far.ok("context", "init", "owner")
    far.ok("context", "check", "owner")


def test_who_serves_may_read_and_write_after_the_last_grants_and_make_nothing(far, ca):
    grant_cassandra(ca, 1)
    assert status(far) == dict.fromkeys(("mysql", "cassandra", "redis", "kafka"), "")
    far.env["TWIT_CONTEXT"] = "far"
    far.settle_in()
    far.ok("follow", "@grace", "@ada")
    told = far.post("@ada", "hello")
    assert far.ok("timeline", "@grace", "-o", "name").split() == [told]
    far.ok("like", "@grace", told)
    assert "0 differences" in far.ok("ops", "audit", "--check", "timelines", "--sample", "100%", "--yes")
    far.ok("delete", "@ada", told)
    assert far.ok("timeline", "@grace", "-o", "name") == ""
    far.local_file.write_text(far.local_file.read_text().replace("[contexts.far]", '[contexts.far]\nnamespace = "other"'))
    assert far.twit("context", "init", "far").exit_code == 5
