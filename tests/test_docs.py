"""The pages are held to the program: their commands parse, their paths exist, their figures are the limits'."""

import ast
import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from twit.cli.command import Command
from twit.cli.root import root
from twit.core.limits import DAY_MS, Limits
from twit.ops.demo.world import PEOPLE

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "ARCHITECTURE.md", *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))))
LIMITS = Limits()


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def spans(text: str) -> list[str]:
    """What stands between backticks."""
    return [" ".join(one.split()) for one in re.findall(r"`([^`]+)`", prose(text))]


def typed(name: str) -> Iterator[str]:
    """Each `twit …` of a page's blocks of a terminal or a shell."""
    text = page(name)
    lines = [line.removeprefix("$ ") for block in blocks(text, "console") for line in block.splitlines() if line.startswith("$ ")]
    lines += [line for block in blocks(text, "sh") for line in block.splitlines()]
    yield from (bare for line in lines if (bare := re.sub(r"^(\w+=\S+ )+", "", line)).startswith("twit "))


def words_of(line: str) -> list[str]:
    """The call as one would type it: of alternatives the first, without `…` for more of the same."""
    words = takewhile(lambda word: word not in {"|", ">", "<", "&&", "||"}, shlex.split(line, comments=True))
    return [word.partition("|")[0].removeprefix("[").removesuffix("]").removesuffix("…") for word in words if word not in {"…", "..."}]


TYPED = sorted({(name, line) for name in PAGES for line in typed(name)})
NAMED = sorted({(name, span) for name in PAGES if name != "docs/cli.md" for span in spans(page(name)) if span.startswith("twit ")})
ABSENT: set[str] = set()  # named where the page says that it is not in this version


@pytest.mark.parametrize(("name", "line"), TYPED)
def test_every_command_of_the_pages_parses(name, line, tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(Command, "invoke", lambda _self, ctx: called.append(ctx.command_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.txt").write_text("a password\n")
    result = CliRunner(env={"HOME": str(tmp_path), "TWIT_DATA": str(tmp_path / "data")}).invoke(root, words_of(line)[1:])
    assert (result.exit_code, result.stderr, len(called)) == (0, "", 1)


def test_the_readme_shows_the_three_jobs_on_its_first_screen():
    screen = "\n".join(page("README.md").splitlines()[:40])
    assert all(job in screen for job in ("make serve", "twit ops rebuild-timeline", "twit simulate"))
    assert len([line for name, line in TYPED if name == "README.md"]) >= 9


@pytest.mark.parametrize(("name", "span"), NAMED)
def test_every_command_that_a_page_names_is_there(name, span):
    words = words_of(span)[1:]
    if words[0] in ABSENT:
        assert "not in this version" in page(name) or "yet" in page(name)
    else:
        must_exist(words)


def must_exist(words: list[str]) -> None:
    """They lead to a command or a group, and the options are its own."""
    here: click.Command = root
    context = root.make_context("twit", [], resilient_parsing=True)  # a bare one would leave its help option with the command
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in [name for param in here.get_params(context) for name in param.opts], f"{here.name}: no {word}"
        elif isinstance(here, click.Group):
            found = here.get_command(context, word)
            assert found is not None, f"no command {' '.join(words)}"
            here = found


def hints() -> Iterator[tuple[str, str]]:
    """Every `try_=` of the program that names a command of ours."""
    for folder in ("cli", "core", "ops", "simulate"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.keyword) and node.arg == "try_":
                    texts = [literal(one) for one in ast.walk(node.value) if isinstance(one, ast.Constant | ast.JoinedStr)]
                    yield from ((path.relative_to(ROOT).as_posix(), text) for text in texts if text.startswith("twit "))


def literal(node: ast.Constant | ast.JoinedStr) -> str:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "1" for part in parts)


@pytest.mark.parametrize(("where", "hint"), sorted(set(hints())))
def test_what_an_error_says_to_try_is_there(where, hint):
    must_exist(hinted(words_of(hint)[1:]))


def hinted(words: list[str]) -> list[str]:
    """Without a context in front and what is left open."""
    return [word for word in (words[2:] if words[:1] == ["--context"] else words) if word]


def paths() -> Iterator[tuple[str, str]]:
    """Files and folders that the pages name between backticks."""
    for name in PAGES:
        for span in spans(page(name)):
            for word in span.split():
                if re.fullmatch(r"[\w.*-]+(/[\w.*-]+)*(/|\.py|\.md|\.toml|\.cfg)", word) and "twit.toml" not in word and "<" not in word:
                    yield name, word


@pytest.mark.parametrize(("name", "path"), sorted(set(paths())))
def test_every_path_of_the_pages_exists(name, path):
    near = [folder for folder in (ROOT, ROOT / "cli", ROOT / "core", ROOT / "docs") if list(folder.glob(path.rstrip("/")))]
    assert near, f"{name} names {path}"


def mapped() -> Iterator[str]:
    """The code map of ARCHITECTURE.md: a column of folders and files, each level indented under its folder."""
    (block,) = [one for one in blocks(page("ARCHITECTURE.md"), "") if one.startswith("cli/")]
    folders: list[str] = []
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        column, _, says = line.strip().partition("  ")
        for word in column.split():
            yield "".join([*folders[:depth], word])
        if column.endswith("/"):
            folders[depth:] = [column]
        for word in re.findall(r"[\w/]+\.py", says):
            yield "".join([*folders[: depth + 1], word])


def test_everything_on_the_map_exists():
    missing = [one for one in mapped() if not ((ROOT / one).exists() or (ROOT / f"{one}.py").exists())]
    assert missing == [] and len(list(mapped())) > 20


@pytest.mark.parametrize("name", PAGES)
def test_limits_are_named_with_the_value_that_they_have(name):
    named = re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`(?: \(([\d,]+)( days)?\))?", page(name))
    for key, value, days in named:
        if key.lower() in Limits.__struct_fields__ and value:
            assert int(value.replace(",", "")) * (DAY_MS if days else 1) == getattr(LIMITS, key.lower()), key
        else:
            assert key.lower() in Limits.__struct_fields__ or key.startswith(("TWIT_", "STORE_")) or not value, key


def test_the_figures_of_the_readme_are_constants_and_none_is_a_measurement():
    text = prose(page("README.md")) + "".join(blocks(page("README.md"), "console"))
    said = {figure.replace(",", "") for figure in re.findall(r"\d[\d,]*,\d{3}", text)}
    assert said == {str(LIMITS.celebrity_followers_min), str(PEOPLE)}
    assert f"after {LIMITS.inactive_after_ms // DAY_MS} days" in text
    assert re.findall(r"\d[\d,. ]*k?\s?(?:/s\b|ms\b|µs\b|GB\b|MB\b|× )", text) == []


def test_the_settings_of_the_page_are_those_that_there_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = CliRunner(env={"HOME": str(tmp_path), "TWIT_DATA": str(tmp_path / "data"), "TWIT_RING": str(tmp_path), "XDG_CONFIG_HOME": ""})
    world = CliRunner(env=runner.env | {"TWIT_CONTEXT": "world", "TWIT_WORLD_AT": "2026-01-01", "TWIT_WORLD_SPEED": "2"})
    rows = [line.split("|")[1:3] for line in page("docs/settings.md").splitlines() if line.startswith("| `")]
    keys = {key for cell, _ in rows for key in re.findall(r"`(\w+)`", cell)}
    for key in sorted(keys):
        assert 0 in {one.invoke(root, ["config", "explain", key]).exit_code for one in (runner, world)}, key
    listed = runner.invoke(root, ["config", "list", "-o", "name"]).stdout.split()
    assert {key.rpartition(".")[2] for key in listed if not key.startswith("limits.")} - {"kind"} <= keys
    variables = {name for _, cell in rows for name in re.findall(r"`(TWIT_\w+)`", cell)}
    for name in sorted(variables):
        assert 0 in {one.invoke(root, ["config", "explain", name]).exit_code for one in (runner, world)}, name
