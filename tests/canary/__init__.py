"""The canary suite: marked secrets go through the program, and all that it leaves is searched.

``secrets`` says what is looked for, ``views`` undoes the encodings in which it may lie, ``search``
finds it. ``spy`` sits in the program's own process and writes down the secrets that nobody can
mark beforehand, and what the program opens, starts and throws away. ``stand`` is a lab with a
technician's computer, ``flows`` the table of what is done there.
"""

from pathlib import Path


def spy_file() -> Path:
    """Return the file that runs in the program's process before it."""
    return Path(__file__).with_name("spy.py")
