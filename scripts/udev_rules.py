"""Write the rules files in ``udev/`` from the drivers' tables, as ``usbprov udev print`` does.

Run it as ``python scripts/udev_rules.py``. With ``--check`` nothing is written; the exit code
is 1 if a file is not up to date.
"""

import argparse
import sys
from pathlib import Path

from usbprov.cli.rules import rules

TARGET = Path(__file__).resolve().parent.parent / "udev"


def main() -> int:
    """Write or check the files; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    wanted = {TARGET / file.name: file.text for file in rules()}
    found = {path: path.read_text() for path in TARGET.glob("*.rules")}
    if wanted == found:
        return 0
    if check:
        print("udev/ is not up to date: run `make docs`", file=sys.stderr)
        return 1
    for path in found.keys() - wanted.keys():
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
