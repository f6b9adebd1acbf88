"""Kafka, broker and controller in one process (KRaft), from the jars that Maven has.

The first clean stop writes an archive of loaded classes beside the jars, which makes later starts take a second.
"""

from __future__ import annotations

import base64
import os
import struct
from collections.abc import Sequence

from .install import jars, jars_folder, java
from .keys import ADMIN, keys
from .place import FILES, HOST, SECURE, connected, folder, port, render
from .process import run, spawn

FLAGS = "-Xms128m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true".split()
CLUSTER_ID_BYTES = 16
API_VERSIONS, CORRELATION = 18, 7
HELLO = struct.pack(">ihhih", 10, API_VERSIONS, 0, CORRELATION, -1)  # length, request, its version, correlation, no client id


class KafkaBroker:
    """Ready is: it answers a request for the versions that it speaks, which it does not before it has registered."""

    name = "kafka"
    commands = ("java", "mvn")
    stop_s = 40.0

    def ports(self) -> list[int]:
        return [port(92), port(93), *([port(94)] if SECURE else [])]

    def processes(self) -> list[str]:
        return [self.name]

    def addresses(self) -> list[str]:
        return [f"{HOST}:{port(92)}"]

    def install(self) -> None:
        jars(self.name)

    def launch(self, only: Sequence[str]) -> bool:
        where, library = folder("data", self.name), jars_folder(self.name)
        client, controller = self.ports()[:2]
        settings = render(
            "kafka.properties", where / "server.properties", port=client, controller=controller, inside=controller + 1, dir=where, host=HOST,
            keys=keys(), admin=ADMIN,
        )  # fmt: skip
        classes = ["-cp", f"{library}/*"]
        if not (where / "logs" / "meta.properties").exists():
            cluster = base64.urlsafe_b64encode(os.urandom(CLUSTER_ID_BYTES)).decode().rstrip("=")
            tool = [java(), "-Xmx128m", "-XX:TieredStopAtLevel=1", *classes, "kafka.tools.StorageTool"]
            users = ["--add-scram", f"SCRAM-SHA-512=[name={ADMIN},password={ADMIN}]"] if SECURE else []
            run("kafka-format", [*tool, "format", "--cluster-id", f"k{cluster[1:]}", "--config", str(settings), *users])
        logging = f"-Dlog4j2.configurationFile={FILES / 'kafka-log4j2.yaml'}"
        return spawn(self.name, [java(), *FLAGS, self._archive(), logging, *classes, "kafka.Kafka", str(settings)], where)

    def ready(self) -> bool:
        try:
            with connected(self.ports()[0], timeout_s=2) as connection:
                connection.sendall(HELLO)
                answer = connection.recv(8)
        except OSError:
            return False
        return len(answer) == 8 and struct.unpack(">ii", answer)[1] == CORRELATION

    def _archive(self) -> str:
        archive = jars_folder(self.name) / "classes.jsa"
        use = "SharedArchiveFile" if archive.exists() and archive.stat().st_size else "ArchiveClassesAtExit"
        return f"-XX:{use}={archive}"
