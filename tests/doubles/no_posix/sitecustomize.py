"""Python without what only POSIX or Linux has: programs run so with this folder in PYTHONPATH.

Modules are hidden, and a folder cannot be opened, as on Windows. That no function is used that
Windows or macOS have not, mypy sees (``--platform``).
"""

import errno
import os
import sys
from typing import Any

from no_posix_names import HIDDEN

for _name in HIDDEN:
    sys.modules[_name] = None  # type: ignore[assignment]  # an import of it fails

_open = os.open


def _open_files_only(path: Any, *arguments: Any, **more: Any) -> int:
    if os.path.isdir(path) and "dir_fd" not in more:  # noqa: PTH112  (that is the library's)
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return _open(path, *arguments, **more)


os.open = _open_files_only
