"""What every command has in common: the global options in any place, a summary, and examples in its help."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from .invocation import Invocation

FORMATS = ("table", "json", "jsonl", "csv", "name")  # as in core/settings_keys.py, which `twit --help` must not import
COLORS = ("auto", "always", "never")
GLOBAL_LINE = "--context NAME, -o FORMAT, -q, -v, --color WHEN, --no-input and --version work here too: see twit --help"


def _remember(ctx: click.Context, param: click.Parameter, value: object) -> None:
    if param.name and ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
        invocation = ctx.find_object(Invocation)
        if invocation is not None:
            setattr(invocation, param.name, value)


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from .. import __version__

        click.echo(f"twit {__version__}")
        ctx.exit(0)


def _global_options() -> list[click.Parameter]:
    plain: dict[str, Any] = {"expose_value": False, "callback": _remember}
    return [
        click.Option(["--context"], metavar="NAME", help="Which world to work on: see twit context list.", **plain),
        click.Option(["-o", "--output"], type=click.Choice(FORMATS), help="How results are written to stdout.", **plain),
        click.Option(["-q", "--quiet"], is_flag=True, help="Only results and errors.", **plain),
        click.Option(["-v", "--verbose"], is_flag=True, help="Say on stderr what is being done.", **plain),
        click.Option(["--color"], type=click.Choice(COLORS), help="Colours: auto is only on a terminal.", **plain),
        click.Option(["--no-input"], is_flag=True, help="Never ask; fail and name the option to pass.", **plain),
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
        ),
    ]


GLOBAL_OPTIONS = _global_options()


class _Everywhere(click.Command):
    """Adds the global options and the examples."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **attrs: Any) -> None:
        attrs.setdefault("context_settings", {"help_option_names": ["-h", "--help"], "max_content_width": 100})
        super().__init__(*args, **attrs)
        self.examples = tuple(examples)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        invocation = ctx.find_object(Invocation)
        if invocation is not None:
            invocation.command = ctx.command_path
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *GLOBAL_OPTIONS]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own = [param.get_help_record(ctx) for param in super().get_params(ctx)]
        shown = [record for record in own if record is not None]
        if shown:
            with formatter.section("Options"):
                formatter.write_dl(shown)
        self.format_globals(ctx, formatter)

    def format_globals(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line; the root lists them."""
        formatter.write_paragraph()
        formatter.write_text(GLOBAL_LINE)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{' ' * formatter.current_indent}{example}\n")
        super().format_epilog(ctx, formatter)


class Command(_Everywhere):
    """A command of ours."""


class Group(_Everywhere, click.Group):
    """A group of ours: its commands are `Command`s."""

    command_class = Command
    group_class = type

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order in which they are written."""
        return list(self.commands)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _Everywhere.format_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)


class Entry(NamedTuple):
    """A command that is imported when it is used. `summary` equals the first line of its help (a test holds them together)."""

    section: str
    module: str
    attribute: str
    summary: str


class LazyGroup(Group):
    """A group that knows its commands by name and imports the one that is called."""

    def __init__(self, *args: Any, entries: Mapping[str, Entry], **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self.entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.entries, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.entries:
            return super().get_command(ctx, cmd_name)
        entry = self.entries[cmd_name]
        found = getattr(import_module(entry.module, __package__), entry.attribute)
        if not isinstance(found, click.Command):
            msg = f"{entry.module}.{entry.attribute} is not a command"
            raise TypeError(msg)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:  # click looks for near misses among what is imported only
            raise click.NoSuchCommand(error.command_name, possibilities=self.entries, ctx=ctx) from None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in dict.fromkeys(entry.section for entry in self.entries.values()):
            with formatter.section(section):
                formatter.write_dl([(name, one.summary) for name, one in self.entries.items() if one.section == section])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        named = [CompletionItem(name, help=one.summary) for name, one in self.entries.items() if name.startswith(incomplete)]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]


def command(name: str, *, examples: Sequence[str]) -> Callable[[Callable[..., object]], Command]:
    """Decorate the body of a command. Its docstring is the help; each example is a line one could paste."""
    return click.command(name, cls=Command, examples=examples)
