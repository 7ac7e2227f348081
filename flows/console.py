"""What the command line lets through to a person: our own lines, and no library's chatter.

`quiet_libraries` sets environment variables that the libraries read when they are imported, so it comes first.
"""

import logging
import os
import sys
import warnings

LIBRARY_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "nightshift",  # a server shows our lines with the run
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def quiet_libraries() -> None:
    """Keeps libraries from printing, unless the environment already says otherwise."""
    for name, value in LIBRARY_SETTINGS.items():
        os.environ.setdefault(name, value)
    for library in ("apache_beam", "absl", "tensorflow", "root"):
        logging.getLogger(library).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")


def show_log() -> None:
    """Sends our own log lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("nightshift")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
