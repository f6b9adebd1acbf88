"""The wheel is what users install: it is built from what git would hold, and its command runs."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    tree = tmp_path_factory.mktemp("tree") / "another-name"
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(tree)], check=True, capture_output=True,
    )
    return next(out.glob("*.whl"))


def test_the_wheel_holds_every_module_and_no_test(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = {"twit/" + name for name in tracked.stdout.split() if not name.startswith("tests/") and (ROOT / name).is_file()}
    assert names == modules


def test_the_installed_command_runs_and_finds_its_version(wheel, tmp_path):
    site = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)], check=True)
    program = "import twit, sys; assert twit.__file__.startswith(sys.argv.pop(1)), twit.__file__; from twit.cli import main; main()"

    def twit(*arguments):
        environment = os.environ | {"PYTHONPATH": str(site), "TWIT_DATA": str(tmp_path / "data"), "HOME": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-c", program, str(site), *arguments], capture_output=True, text=True, cwd=tmp_path, env=environment,
        )

    assert twit("--version").stdout.startswith("twit ")
    made = twit("user", "create", "@ada", "--email", "ada@example.org", "--no-input", "-o", "json")
    assert made.returncode in (0, 2), made.stderr
    assert "Traceback" not in made.stderr
