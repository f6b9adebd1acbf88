"""Where a value comes from: each layer beats the next, and nothing unknown passes."""

from __future__ import annotations

import json

import pytest

from twit.core import secret_settings
from twit.core.errors import Invalid
from twit.core.settings import load, misspelt_variables


@pytest.fixture
def places(tmp_path):
    """A home and a working folder, each with a place for twit.toml."""
    (tmp_path / "home" / ".config" / "twit").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    return tmp_path


def in_home(places, text):
    (places / "home" / ".config" / "twit" / "twit.toml").write_text(text)


def in_work(places, text):
    (places / "work" / "twit.toml").write_text(text)


def loaded(places, flags=None, **environ):
    return load({"HOME": str(places / "home"), **environ}, places / "work", flags)


def test_built_in_is_the_embedded_context_local_in_the_xdg_data_home(places):
    settings = loaded(places)
    assert (settings.context.name, settings.context.kind) == ("local", "embedded")
    assert settings.context.data == places / "home" / ".local" / "share" / "twit"
    assert (settings.output, settings.color, settings.rate_limits, settings.port) == ("table", "auto", True, 8420)


def test_each_layer_beats_the_next(places):
    assert loaded(places).output == "table"
    in_home(places, 'output = "json"')
    assert loaded(places).output == "json"
    in_work(places, 'output = "jsonl"')
    assert loaded(places).output == "jsonl"
    assert loaded(places, TWIT_OUTPUT="csv").output == "csv"
    settings = loaded(places, {"output": "name"}, TWIT_OUTPUT="csv")
    assert settings.output == "name"
    assert [one.source for one in settings.explain("output")] == [
        "--output", "TWIT_OUTPUT", "./twit.toml:1", "~/.config/twit/twit.toml:1", "built-in",
    ]  # fmt: skip


def test_an_empty_variable_and_an_option_not_given_say_nothing(places):
    assert loaded(places, {"output": None}, TWIT_OUTPUT="").explain("output")[0].source == "built-in"


def test_each_layer_beats_the_next_for_limits_too(places):
    in_home(places, "[limits]\ntimeline_entries_max = 20\nfanout_batch = 5")
    in_work(places, "[limits]\ntimeline_entries_max = 30")
    settings = loaded(places, TWIT_LIMITS_TIMELINE_ENTRIES_MAX="40")
    assert (settings.limits.timeline_entries_max, settings.limits.fanout_batch, settings.limits.scan_max) == (40, 5, 2_000)
    assert [one.value for one in settings.explain("TWIT_LIMITS_TIMELINE_ENTRIES_MAX")] == [40, 30, 20, 800]


def test_a_context_is_put_together_from_all_layers(places):
    in_home(places, '[contexts.stage]\nkind = "embedded"\ndata = "~/stage"')
    in_work(places, 'default_context = "stage"\n[contexts.stage]\nprotected = true')
    context = loaded(places).context
    assert (context.data, context.protected) == (places / "home" / "stage", True)


def test_twit_data_is_the_folder_of_the_chosen_context_alone(places):
    in_home(places, '[contexts.stage]\nkind = "embedded"\n[contexts.far]\nkind = "live"')
    settings = loaded(places, TWIT_DATA="here", TWIT_CONTEXT="stage")
    assert settings.context.data == places / "work" / "here"
    assert settings.contexts["local"].data == places / "home" / ".local" / "share" / "twit"
    assert loaded(places, TWIT_DATA="here", TWIT_CONTEXT="far").context.data is None


def test_paths_in_a_file_are_seen_from_that_file(places):
    in_work(places, '[contexts.local]\ndata = "rows"')
    assert loaded(places).context.data == places / "work" / "rows"


def test_xdg_homes_are_used_where_they_are_absolute(places):
    assert loaded(places, XDG_DATA_HOME="/srv/data").context.data.as_posix() == "/srv/data/twit"
    assert loaded(places, XDG_DATA_HOME="data").context.data == places / "home" / ".local" / "share" / "twit"
    assert loaded(places, XDG_CONFIG_HOME="/etc/xdg").user_file.as_posix() == "/etc/xdg/twit/twit.toml"


@pytest.mark.parametrize(("text", "says"), [
    ("colour = 1", "./twit.toml:1: unknown setting colour"),
    ("# one\n\ncolor = 'blue'", "./twit.toml:3: color must be one of auto, always, never, not 'blue'"),
    ("[limits]\ntweets = 3", "./twit.toml:2: unknown setting limits.tweets"),
    ("[limits]\nscan_max = 'many'", "./twit.toml:2: limits.scan_max must be a whole number, not 'many'"),
    ("[limits]\nscan_max = true", "./twit.toml:2: limits.scan_max must be a whole number, not True"),
    ("[limits]\n# none at all\nscan_max = 0", "./twit.toml:3: limit scan_max is 0; it must be at least 1"),
    ("port = 65536", "./twit.toml:1: port must be a port, 0 to 65535, not 65536"),
    ("rate_limits = 'maybe'", "./twit.toml:1: rate_limits must be true or false, on or off, not 'maybe'"),
    ("[contexts.a]\ndata = 'x'", "./twit.toml:2: context a has no kind"),
    ("[contexts.a]\nkind = 'cloud'", "./twit.toml:2: contexts.a.kind must be one of embedded, live, simulated, not 'cloud'"),
    ("[contexts.a]\nkind = 'embedded'\nredis = 'x'", "./twit.toml:3: a context of kind embedded has no redis"),
    ("contexts.a = {kind = 'live', data = 'x'}", "./twit.toml:1: a context of kind live has no data"),
    ("[contexts.'a b']\nkind = 'live'", "./twit.toml:2: unknown setting contexts.a b.kind"),
    ("[contexts.a]\nkind = 'live'\nmysql_password = 'x'", "./twit.toml:3: contexts.a.mysql_password: a secret does not belong in a settings file"),
    ("[contexts.a]\nkind = 'live'\nmysql_password_command = 'x'", "./twit.toml:3: contexts.a.mysql_password_command: commands are taken from the file in your home only"),
    ("a = ", "./twit.toml is not TOML: Invalid value (at end of document)"),
])  # fmt: skip
def test_what_is_wrong_is_refused_with_file_and_line(places, text, says):
    in_work(places, text)
    with pytest.raises(Invalid) as caught:
        loaded(places)
    assert str(caught.value) == says


@pytest.mark.parametrize(("name", "value"), [
    ("TWIT_LIMITS_SCAN_MAX", "many"), ("TWIT_LIMITS_SCAN_MAX", "-1"), ("TWIT_LIMITS_TWEETS", "1"),
    ("TWIT_RATE_LIMITS", "maybe"), ("TWIT_PORT", "x"), ("TWIT_OUTPUT", "xml"),
])  # fmt: skip
def test_a_wrong_variable_is_named(places, name, value):
    with pytest.raises(Invalid, match=f"^{name}: "):
        loaded(places, **{name: value})


def test_a_bound_that_another_limit_breaks_is_explained(places):
    with pytest.raises(Invalid, match="celebrity_followers_exit is above") as caught:
        loaded(places, TWIT_LIMITS_CELEBRITY_FOLLOWERS_MIN="10")
    assert "TWIT_LIMITS_CELEBRITY_FOLLOWERS_EXIT" in caught.value.try_


def test_a_misspelt_variable_is_noticed(places):
    environ = {"TWIT_CONTEX": "prod", "TWIT_TEST_DATA": "x", "TWIT_DATA": "y"}
    assert misspelt_variables(environ) == [("TWIT_CONTEX", "TWIT_CONTEXT")]


def test_a_file_that_is_no_text_or_far_too_long_is_refused(places):
    (places / "work" / "twit.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match="not TOML"):
        loaded(places)
    in_work(places, "#" * (1 << 21))
    with pytest.raises(Invalid, match="larger than"):
        loaded(places)


def live(places, line):
    in_home(places, f'[contexts.stage]\nkind = "live"\n{line}')
    return loaded(places, TWIT_CONTEXT="stage").context


def test_a_secret_is_read_from_a_file_that_only_its_owner_reads(places):
    secret = places / "secret"
    secret.write_text("hunter2\n")
    context = live(places, f'mysql_password_file = "{secret}"')
    secret.chmod(0o644)
    with pytest.raises(Invalid, match="others can read"):
        secret_settings.read(context, "mysql_password")
    secret.chmod(0o600)
    assert secret_settings.read(context, "mysql_password").reveal() == "hunter2"


def test_a_secret_is_read_from_a_command_and_shown_nowhere(places):
    context = live(places, 'mysql_password_command = "echo hunter2"')
    secret = secret_settings.read(context, "mysql_password")
    assert secret.reveal() == "hunter2"
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"


@pytest.mark.parametrize("line", ['mysql_password_file = "nothing-there"', 'mysql_password_command = "false hunter2"', 'mysql_password_command = "true"',
                                  'mysql_password_command = "echo \'hunter2"', "", 'mysql_password_file = "x"\nmysql_password_command = "y"'])  # fmt: skip
def test_a_secret_that_cannot_be_had_is_an_error_without_it(places, line):
    with pytest.raises(Invalid) as caught:
        secret_settings.read(live(places, line), "mysql_password")
    assert "hunter2" not in f"{caught.value}{caught.value.meaning}{caught.value.try_}"


def test_no_command_shows_a_secret(home):
    home.settings_file.parent.mkdir(parents=True)
    home.settings_file.write_text('[contexts.stage]\nkind = "live"\nredis = ["127.0.0.1:7001"]\nmysql_password_command = "echo hunter2"')
    for args in (("context", "show", "stage"), ("config", "list"), ("config", "explain", "contexts.stage.mysql_password_command")):
        for form in ("table", "json", "csv", "jsonl"):
            out = home.ok(*args, "-o", form)
            assert "hunter2" not in out
            assert "********" in out or form == "csv"
    assert "hunter2" not in home.twit("--context", "stage", "context", "check", "-v").output


def test_config_explain_says_where_a_value_came_from(home):
    home.local_file.write_text("[limits]\nfanout_batch = 9\n")
    assert home.ok("config", "explain", "fanout_batch") == "limits.fanout_batch = 9   from ./twit.toml:2\n  over 1000 from built-in\n"
    found = json.loads(home.ok("config", "explain", "data", "-o", "json"))
    assert (found["value"], found["source"]) == (str(home.data), "TWIT_DATA")
    assert json.loads(home.ok("config", "explain", "context", "--context", "local", "-o", "json"))["source"] == "--context"
    assert home.twit("config", "explain", "nothing").exit_code == 2
    for unset in ("ring", "TWIT_RING", "redis"):
        refused = home.twit("config", "explain", unset)
        assert refused.exit_code == 3 and f"{unset} is not set in context local" in refused.stderr
    assert "limits.scan_max" in home.ok("config", "explain", "limits")


def test_config_list_has_every_key_and_set_only_those_that_were_set(home):
    assert "limits.scan_max" in home.ok("config", "list")
    assert home.ok("config", "list", "--set", "-o", "csv") == f"key,value,from\ncontexts.local.data,{home.data},TWIT_DATA\noutput,csv,--output\n"


def test_a_misspelt_variable_is_warned_about(home):
    home.env["TWIT_CONTEX"] = "prod"
    assert "did you mean TWIT_CONTEXT?" in home.twit("context", "list").stderr


def test_twit_ring_is_where_the_chosen_context_keeps_cached_timelines(places):
    in_home(places, '[contexts.stage]\nkind = "embedded"\nring = "fast"\n[contexts.far]\nkind = "live"')
    assert loaded(places).context.ring is None
    assert loaded(places, TWIT_CONTEXT="stage").context.ring == places / "home" / ".config" / "twit" / "fast"
    settings = loaded(places, TWIT_RING="/memory/here", TWIT_CONTEXT="stage")
    assert str(settings.context.ring) == "/memory/here"
    assert settings.explain("TWIT_RING")[0].source == "TWIT_RING"
    assert settings.contexts["local"].ring is None
    assert loaded(places, TWIT_RING="/memory/here", TWIT_CONTEXT="far").context.ring is None


def test_commands_put_cached_timelines_where_the_setting_says(home):
    home.env["TWIT_RING"] = str(home.folder / "memory")
    home.settle_in()
    assert (home.folder / "memory" / "timelines.ring").exists()
    assert not (home.data / "timelines.ring").exists()
