"""Cassandra, one node, from the jars that Maven has: the daemon that Debian has no package for.

A node alone need not wait for peers (`ring_delay_ms=0`), and a heap of 512 MB serves tests. Its logs go to standard output.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from .install import jars, jars_folder, java
from .keys import keys
from .place import FILES, HOST, connected, folder, port, render
from .process import spawn

HEAP = os.environ.get("TWIT_LIVE_CASSANDRA_HEAP", "1g")
TIER = os.environ.get("TWIT_LIVE_JIT_TIER", "1")  # 1 starts fastest; 4 for a load test
HELLO = b"\x04\x00\x00\x00\x05\x00\x00\x00\x00"  # native protocol 4, stream 0, opcode OPTIONS, empty body
SUPPORTED = 0x06
EXPORTS = """
java.base/jdk.internal.misc java.base/java.lang.ref java.management.rmi/com.sun.jmx.remote.internal.rmi
java.rmi/sun.rmi.registry java.rmi/sun.rmi.server java.rmi/sun.rmi.transport.tcp java.sql/java.sql jdk.unsupported/sun.misc
java.base/sun.nio.ch jdk.attach/sun.tools.attach jdk.compiler/com.sun.tools.javac.file
""".split()
OPENS = """
java.base/java.io java.base/java.lang java.base/java.lang.module java.base/java.lang.reflect java.base/java.net
java.base/java.nio java.base/java.util java.base/java.util.concurrent java.base/java.util.concurrent.atomic
java.base/jdk.internal.loader java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.ref
java.base/jdk.internal.reflect java.base/jdk.internal.util java.base/jdk.internal.util.jar java.base/sun.nio.ch
java.rmi/sun.rmi.transport.tcp jdk.compiler/com.sun.tools.javac jdk.management/com.sun.management.internal
""".split()
FLAGS = f"""
-Xms{HEAP} -Xmx{HEAP} -Xss512k -XX:+UseSerialGC -XX:TieredStopAtLevel={TIER} -XX:MaxDirectMemorySize=256m
-XX:+ExitOnOutOfMemoryError -XX:-UsePerfData -Djava.awt.headless=true -Djava.security.manager=allow
-Djdk.attach.allowAttachSelf=true -Dcassandra-foreground=yes -Dcassandra.skip_wait_for_gossip_to_settle=0
-Dcassandra.superuser_setup_delay_ms=0 -Dcassandra.ring_delay_ms=0 -Dcassandra.disable_tcactive_openssl=true
-Dio.netty.eventLoopThreads=2 -Dio.netty.tryReflectionSetAccessible=true
""".split()


class CassandraNode:
    """Ready is: it answers the first message of the native protocol."""

    name = "cassandra"
    commands = ("java", "mvn")
    stop_s = 60.0

    def ports(self) -> list[int]:
        return [port(942), port(900)]

    def processes(self) -> list[str]:
        return [self.name]

    def addresses(self) -> list[str]:
        return [f"{HOST}:{port(942)}"]

    def install(self) -> None:
        jars(self.name)

    def launch(self, only: Sequence[str]) -> bool:
        where, library = folder("data", self.name), jars_folder(self.name)
        client, storage = self.ports()
        settings = render("cassandra.yaml", where / "cassandra.yaml", port=client, storage=storage, dir=where, host=HOST, keys=keys())
        command = [
            java(), *FLAGS,
            *(f"--add-exports={one}=ALL-UNNAMED" for one in EXPORTS), *(f"--add-opens={one}=ALL-UNNAMED" for one in OPENS),
            f"-javaagent:{next(library.glob('jamm-*.jar'))}", f"-Dcassandra.config=file://{settings}",
            f"-Dcassandra.storagedir={where}", f"-Dcassandra.logdir={where}",
            f"-Dlogback.configurationFile={FILES / 'cassandra-logback.xml'}",
            "-cp", f"{library}/*", "org.apache.cassandra.service.CassandraDaemon",
        ]  # fmt: skip
        return spawn(self.name, command, where)

    def ready(self) -> bool:
        try:
            with connected(self.ports()[0], timeout_s=2) as connection:
                connection.sendall(HELLO)
                header = connection.recv(9)
        except OSError:
            return False
        return len(header) == 9 and header[4] == SUPPORTED
