"""completion: the script that makes a shell complete twit's commands and options."""

from __future__ import annotations

import click

from .command import command
from .invocation import terminal

INSTALL = {
    "bash": 'eval "$(twit completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(twit completion zsh)"   in ~/.zshrc',
    "fish": "twit completion fish > ~/.config/fish/completions/twit.fish",
}


@command("completion", examples=('eval "$(twit completion bash)"', "twit completion fish > ~/.config/fish/completions/twit.fish"))
@click.argument("shell", type=click.Choice(list(INSTALL)))
def completion(shell: str) -> None:
    """Print a completion script for a shell."""
    from click.shell_completion import get_completion_class

    from .root import root

    shape = get_completion_class(shell)
    if shape is None:
        message = f"no completion for {shell}"
        raise click.UsageError(message)
    terminal().data(shape(root, {}, "twit", "_TWIT_COMPLETE").source() + "\n")
    terminal().detail(f"to install:  {INSTALL[shell]}")
