"""Questions before something is taken away."""

import sys

import click

from usbprov.errors import UsageError

yes_option = click.option("--yes", is_flag=True, help="Do not ask; for programs.")


def confirmed(question: str, *, yes: bool, as_json: bool) -> bool:
    """Ask at the terminal, unless it was said already; where nobody can answer it is a no."""
    if yes:
        return True
    if as_json or not sys.stdin.isatty():
        return False
    return click.confirm(question, err=True)


def confirm_by_typing(word: str, what: str, given: str | None) -> None:
    """Have a word typed, or take it from an option, and go on only if it is right.

    Args:
        word: What must be typed; upper and lower case are the same.
        what: What will be done then, as a sentence.
        given: What ``--confirm`` has, or None.

    Raises:
        UsageError: It is another word, or nobody is there to type it; nothing was done.
    """
    if given is None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise UsageError(f"nothing was done: give --confirm {word} where there is no terminal")
        click.echo(what, err=True)
        given = click.prompt(f"Type {word} to go on", default="", show_default=False, err=True)
    if given.strip().lower() != word.lower():
        raise UsageError(f"nothing was done: {word} was not confirmed")
