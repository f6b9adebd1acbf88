"""Whether each server can be reached and lets us in, asked with one connection of its own; what the stores hold is theirs to check.

Blocking, a function a server, each within `timeout_s` a step. Returns "" or what is wrong; whoever calls says which context
it was. Never writes.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

from .config import Access

SLOTS = 16_384
PROTOCOL = 5  # of Cassandra, spoken since 4.0


def tls(access: Access) -> ssl.SSLContext | None:
    """What a driver wraps its sockets with: the server must prove its name by this authority. `None` without TLS."""
    return ssl.create_default_context(cafile=access.ca_file) if access.ca_file else None


def host_port(address: str) -> tuple[str, int]:
    """Of host:port or host:port/database."""
    host, _, port = address.partition("/")[0].rpartition(":")
    return host, int(port)


def reach_redis(access: Access, timeout_s: float) -> str:
    """Every named node answers, and each slot of the cluster has a master that is up."""
    import redis  # noqa: PLC0415 - a driver is loaded by who needs it
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    states: dict[str, dict[str, str]] = {}
    down: list[str] = []
    for address in access.addresses:
        host, port = host_port(address)
        node: Any = redis.Redis(
            host=host, port=port, username=access.user or None, password=access.password or None, ssl=bool(access.ca_file),
            ssl_ca_certs=access.ca_file or None, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, decode_responses=True,
            retry=Retry(NoBackoff(), 0),
        )  # fmt: skip
        try:
            states[address] = _pairs(node.execute_command("CLUSTER INFO"))
        except (redis.AuthenticationError, redis.ResponseError) as error:
            return f"{address}: {error}"
        except (redis.ConnectionError, redis.TimeoutError) as error:
            down.append(str(error) if address in str(error) else f"{address}: {error}")
        finally:
            node.close()
    if not states:
        return "; ".join(down)
    state = next(iter(states.values()))
    if state.get("cluster_state") != "ok" or int(state.get("cluster_slots_ok", "0")) < SLOTS:
        lost = SLOTS - int(state.get("cluster_slots_ok", "0"))
        return f"the cluster is {state.get('cluster_state')}: {lost:,} of {SLOTS:,} slots have no master" + "".join(f"; {one}" for one in down)
    return ""


def reach_mysql(access: Access, timeout_s: float) -> str:
    """Every server of the shard map lets us in."""
    import pymysql  # noqa: PLC0415

    for address in access.addresses:
        host, port = host_port(address)
        try:
            connection = pymysql.connect(
                host=host, port=port, user=access.user or None, password=access.password,
                connect_timeout=max(1, int(timeout_s)), read_timeout=timeout_s, ssl={"ca": access.ca_file} if access.ca_file else None,
            )  # fmt: skip
        except pymysql.MySQLError as error:
            return f"{address}: {error.args[-1]}"
        connection.close()
    return ""


def reach_cassandra(access: Access, timeout_s: float, local_datacenter: str) -> str:
    """A node lets us in, and knows nodes of the datacenter that is ours."""
    from cassandra.auth import PlainTextAuthProvider  # noqa: PLC0415
    from cassandra.cluster import Cluster, NoHostAvailable  # noqa: PLC0415

    hosts = [host_port(address) for address in access.addresses]
    more: dict[str, Any] = {"ssl_context": tls(access), "ssl_options": {"server_hostname": hosts[0][0]}} if access.ca_file else {}
    cluster = Cluster(
        [host for host, _ in hosts], port=hosts[0][1], connect_timeout=timeout_s, control_connection_timeout=timeout_s,
        protocol_version=PROTOCOL, auth_provider=PlainTextAuthProvider(access.user, access.password) if access.user else None, **more,
    )  # fmt: skip
    try:
        session = cluster.connect()
        session.execute("SELECT key FROM system.local", timeout=timeout_s)
        known = {host.datacenter for host in cluster.metadata.all_hosts()}
    except NoHostAvailable as error:
        return "; ".join(f"{host}: {why}" for host, why in error.errors.items())
    finally:
        cluster.shutdown()
    return "" if local_datacenter in known else f"no node is in datacenter {local_datacenter}; there are {', '.join(sorted(known))}"


def reach_kafka(access: Access, timeout_s: float) -> str:
    """A broker lets us in."""
    from kafka import KafkaAdminClient  # noqa: PLC0415
    from kafka.errors import KafkaError  # noqa: PLC0415

    refused = [_refused(address, timeout_s) for address in access.addresses]
    if all(refused):  # the driver would only say that it could not bootstrap
        return "; ".join(refused)
    security = kafka_security(access)
    timeout_ms = round(timeout_s * 1_000)
    admin = None
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=list(access.addresses), request_timeout_ms=timeout_ms, bootstrap_timeout_ms=timeout_ms, **security
        )
        admin.describe_cluster()
    except KafkaError as error:
        return f"{', '.join(access.addresses)}: by {security['security_protocol']} as {access.user or 'nobody'}: {error}"
    finally:
        if admin is not None:
            admin.close()
    return ""


def _refused(address: str, timeout_s: float) -> str:
    """Why nothing listens there; "" where something does."""
    try:
        socket.create_connection(host_port(address), timeout=timeout_s).close()
    except OSError as error:
        return f"{address}: {error.strerror or error}"
    return ""


def kafka_security(access: Access) -> dict[str, Any]:
    """Settings of kafka-python for TLS and for a user by SCRAM-SHA-512."""
    kind = ("SASL_" if access.user else "") + ("SSL" if access.ca_file else "PLAINTEXT")
    found: dict[str, Any] = {"security_protocol": kind}
    if access.ca_file:
        found["ssl_context"] = tls(access)
    if access.user:
        found |= {"sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": access.user, "sasl_plain_password": access.password}
    return found


def _pairs(info: object) -> dict[str, str]:
    """CLUSTER INFO, which redis-py parses in some versions and not in others."""
    if isinstance(info, dict):
        return {str(key): str(value) for key, value in info.items()}
    return dict(line.split(":", 1) for line in str(info).splitlines() if ":" in line)
