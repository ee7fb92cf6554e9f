"""Libraries that would write tokens into the log."""

import functools
import logging


def _not_verbose(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


@functools.cache
def silence_spnego() -> None:
    """Keep tokens out of the logs: ``spnego`` writes them at debug level, whoever listens."""
    for name in tuple(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "spnego":
            logging.getLogger(name).addFilter(_not_verbose)
