"""Certificates for a secured set of servers: an authority of its own, and one certificate that all servers of the set share."""

from __future__ import annotations

import threading
from pathlib import Path

from .place import HOST, SECURE, folder
from .process import run

ADMIN = "admin"  # name and password of whoever may do everything, where a server lets one choose
DAYS = "3650"
_once = threading.Lock()


def keys() -> Path:
    """The folder with ca.pem, server.crt, server.key and server.pem (key and certificate); made once. Empty in a plain set."""
    made = folder("keys")
    with _once:
        if SECURE and not (made / "server.pem").exists():
            _make(made)
    return made


def _make(made: Path) -> None:
    ca, key, request, certificate = (str(made / name) for name in ("ca.pem", "server.key", "server.csr", "server.crt"))
    (made / "names").write_text(f"subjectAltName=IP:{HOST},DNS:localhost\n")
    subject = ["-subj", "/CN=twit live tests"]
    new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes"]
    run("keys", [*new, "-x509", "-days", DAYS, "-keyout", str(made / "ca.key"), "-out", ca, *subject])
    run("keys", [*new, "-keyout", key, "-out", request, "-subj", f"/CN={HOST}"])
    sign = ["openssl", "x509", "-req", "-days", DAYS, "-in", request, "-CA", ca, "-CAkey", str(made / "ca.key"), "-CAcreateserial"]
    run("keys", [*sign, "-extfile", str(made / "names"), "-out", certificate])
    (made / "server.pem").write_text(Path(key).read_text() + Path(certificate).read_text())
