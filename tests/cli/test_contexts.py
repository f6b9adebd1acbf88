"""context: which worlds there are, making one, choosing one, asking how it is."""

from __future__ import annotations

import json
import tomllib

import pytest


def test_the_built_in_context_is_listed_shown_and_checked(home):
    row, world = json.loads(home.ok("context", "list", "-o", "json"))["contexts"]
    assert (world["name"], world["kind"], world["chosen"]) == ("world", "simulated", False)
    assert (row["name"], row["kind"], row["chosen"], row["where"]) == ("local", "embedded", True, str(home.data))
    assert home.ok("context", "show").startswith("local  embedded  (chosen)\n")
    home.ok("user", "list")
    checks = json.loads(home.ok("context", "check", "-o", "json"))["checks"]
    assert {one["status"] for one in checks} == {"ok"}


def test_a_context_is_made_used_and_told_apart_from_others(home):
    del home.env["TWIT_DATA"]
    home.ok("context", "init", "stage", "--data", "stage-data")
    assert (home.work / "stage-data" / "twit.db").exists()
    home.settle_in("ada")
    home.ok("context", "use", "stage")
    assert home.ok("user", "list") == ""
    assert home.ok("user", "list", "--context", "local", "-o", "name") == "ada\n"
    assert home.ok("context", "list", "-o", "csv").splitlines()[2].startswith("stage,embedded,yes,no,")


def test_making_it_again_is_nothing_and_making_another_of_the_name_is_refused(home):
    make = ("context", "init", "stage", "--data", "stage-data")
    home.ok(*make)
    before = home.settings_file.read_text()
    assert home.ok(*make) == "stage is there already\n"
    assert home.settings_file.read_text() == before
    assert home.twit("context", "init", "stage", "--data", "elsewhere").exit_code == 3
    assert home.twit("context", "init", "stage", "--data", "stage-data", "--protected").exit_code == 3


def test_a_context_of_this_folder_alone(home):
    home.ok("context", "init", "here", "--data", "rows", "--here", "--protected")
    assert tomllib.loads(home.local_file.read_text())["contexts"]["here"] == {
        "kind": "embedded", "data": str(home.work / "rows"), "protected": True,
    }  # fmt: skip
    assert not home.settings_file.exists()


def test_choosing_keeps_the_rest_of_the_file_as_it_is(home):
    home.settings_file.parent.mkdir(parents=True)
    text = '# mine\noutput = "table"  # as I like it\n\n[contexts.stage]\nkind = "embedded"\n# default_context = "no"\n'
    home.settings_file.write_text(text)
    home.ok("context", "use", "stage")
    assert home.settings_file.read_text() == f'default_context = "stage"\n{text}'
    home.ok("context", "use", "local")
    assert home.settings_file.read_text() == f'default_context = "local"\n{text}'


def test_choosing_says_where_something_stronger_still_says_otherwise(home):
    home.env["TWIT_CONTEXT"] = "local"
    home.local_file.write_text('[contexts.stage]\nkind = "embedded"\n')
    assert "TWIT_CONTEXT still says local" in home.twit("context", "use", "stage").stderr


@pytest.mark.parametrize("args", [("use", "nowhere"), ("show", "nowhere"), ("check", "nowhere"), ("init", "a b"), ("init", ""), ("init", "x" * 51), ("use",)])
def test_names_that_are_none_are_refused(home, args):
    assert home.twit("context", *args).exit_code == 2


def test_settings_that_cannot_be_written_are_told_and_nothing_is_changed(home):
    (home.folder / ".config").write_text("a file where a folder should be")
    home.env["XDG_CONFIG_HOME"] = str(home.folder / "password")
    result = home.twit("context", "use", "local")
    assert result.exit_code != 0
    assert "error: " in result.stderr
    assert "BUG" not in result.stderr
