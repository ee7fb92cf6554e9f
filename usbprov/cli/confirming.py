"""Questions before something is taken away."""

import sys

import click

yes_option = click.option("--yes", is_flag=True, help="Do not ask; for programs.")


def confirmed(question: str, *, yes: bool, as_json: bool) -> bool:
    """Ask at the terminal, unless it was said already; where nobody can answer it is a no."""
    if yes:
        return True
    if as_json or not sys.stdin.isatty():
        return False
    return click.confirm(question, err=True)
