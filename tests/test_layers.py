"""The map of ARCHITECTURE.md, held by machine: who may import whom, and what the core may not ask."""

import ast
import configparser
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("cli", "core", "ops", "simulate", "scenarios", "reports")
MAY = {  # layer → layers of ours it may import, beside itself
    "cli": {"core", "ops", "simulate", "scenarios", "reports"},
    "ops": {"core"},
    "scenarios": {"simulate", "core"},
    "simulate": {"core"},
    "reports": {"core"},
    "core": set(),
}
REPORTED = ("core.model", "core.events", "core.entries", "core.runs")  # what reports may import of the core
HOMES = {  # library → the only places that may import it
    "redis": "core/stores/live", "hiredis": "core/stores/live", "cassandra": "core/stores/live",
    "pymysql": "core/stores/live", "elasticsearch": "core/stores/live", "boto3": "core/stores/live",
    "kafka": "core/stores/live", "click": "cli", "rich": "cli", "pandas": "reports", "sqlite3": "core/stores/embedded",
    "litestar": "core/gateway", "uvicorn": "core/gateway", "granian": "core/gateway", "prometheus_client": "core/gateway",
    "argon2": "core/passwords.py", "locust": "nowhere",
}
ASKS = {"time", "random", "uuid", "secrets", "threading", "concurrent"}  # the core is handed these
ASK_HOMES = ("core/clock.py", "core/entropy.py", "core/offload.py", "core/stores", "core/gateway/server.py")
ORDER_TRAPS = {"to_thread", "as_completed", "wait", "run_in_executor"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imports(name: str, tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Dotted names that a file imports, from the package's root; and whether they are ours."""
    package = Path(name).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            tail = node.module.split(".") if node.module else []
            for alias in node.names:
                yield ".".join([*base, *tail, alias.name]), True
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", False


@pytest.mark.parametrize(("name", "tree"), list(sources()), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_follow_the_map(name, tree):
    layer = name.split("/")[0]
    for dotted, ours in imports(name, tree):
        top = dotted.split(".")[0]
        assert not (top == "twit" and not ours), f"{name} imports {dotted}: inside the package imports are relative"
        if ours and top in MAY:
            assert top == layer or top in MAY[layer], f"{name} imports {dotted}"
            assert layer != "reports" or top != "core" or dotted.startswith(REPORTED), f"{name}: {dotted}"
        home = HOMES.get(top)
        assert home is None or name.startswith(home), f"{name} imports {top}, whose home is {home}"


@pytest.mark.parametrize(("name", "tree"), list(sources()), ids=lambda value: value if isinstance(value, str) else "")
def test_redis_is_spoken_to_over_connections_of_ours_alone(name, tree):
    """`redis.asyncio` costs several times as much a command as the connection in redis_wire.py."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        assert not [one for one in found if one.startswith("redis.asyncio")], f"{name} imports redis.asyncio"


@pytest.mark.parametrize(("name", "tree"), [s for s in sources() if s[0].startswith("core/")], ids=lambda v: v if isinstance(v, str) else "")
def test_the_core_asks_neither_clock_nor_dice_nor_threads(name, tree):
    if name.startswith(ASK_HOMES):
        return
    for dotted, ours in imports(name, tree):
        assert ours or dotted.split(".")[0] not in ASKS, f"{name} imports {dotted}; it is handed that instead"
    for node in ast.walk(tree):
        trap = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "asyncio"
        assert not (trap and node.attr in ORDER_TRAPS), f"{name}:{getattr(node, 'lineno', 0)} asyncio.{node.attr}"


def test_the_package_list_is_the_tree():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    found = {"twit"} | {
        "twit." + path.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for folder in FOLDERS for path in (ROOT / folder).rglob("__init__.py")
    }
    assert listed == found


def test_no_function_is_longer_than_sixty_lines():
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{name}:{node.lineno} {node.name}"
