"""What a person at a terminal is told of an error: one sentence with the cause, and what to do about it.

Belongs here: the words for errors that are not of our own tree. Does not belong here: raising or handling any.
"""

from __future__ import annotations

import errno

from payments_pipeline.errors import PaymentsPipelineError

DOCTOR = "payments-pipeline doctor examines it"
REPORT_IT = "run it again with --debug, and report what it shows"
FULL = "free some disk space"
# SQLSTATE, or its first two characters, of what people meet: https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_STATE = {
    "42P01": "bring the database up to date: payments-pipeline db upgrade",
    "3F000": "bring the database up to date: payments-pipeline db upgrade",
    "42703": "bring the database up to date: payments-pipeline db upgrade",
    "42501": "grant the role of DATABASE_URL what docs/operations.md lists",
    "3D000": "create that database, or correct DATABASE_URL",
    "28": "correct user and password in DATABASE_URL",
    "53100": f"{FULL} on the database's server",
    "53300": "raise max_connections of the server, or close what holds its connections",
    "57P": "wait until the server is back, and run it again",
    "57014": "run it again; if it always takes too long, raise the role's statement_timeout",
    "25006": "point DATABASE_URL at the primary: this server is read-only",
}
# The driver gives no SQLSTATE for what failed before there was a connection.
_BY_WORDS = {
    "password authentication failed": _BY_STATE["28"],
    "no password supplied": _BY_STATE["28"],
    '" does not exist': _BY_STATE["3D000"],
    "pg_hba.conf": "let this machine in, in the server's pg_hba.conf",
    "too many clients": _BY_STATE["53300"],
    "starting up": _BY_STATE["57P"],
    "shutting down": _BY_STATE["57P"],
}


def told(error: Exception) -> str:
    """An error of ours as it is; of others what is known about the cause and the remedy."""
    if isinstance(error, PaymentsPipelineError):
        return str(error)
    if type(error).__module__.startswith(("sqlalchemy", "psycopg")):  # --help need not import them
        return _database(error)
    if isinstance(error, OSError) and error.strerror:
        return _system(error)
    return f"{type(error).__name__}: {_first_line(error)}. What to do: {REPORT_IT}."


def _database(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error  # SQLAlchemy wraps the driver's error
    what = _first_line(cause).rstrip(".")
    state = str(getattr(cause, "sqlstate", None) or "")
    remedy = next((text for prefix, text in _BY_STATE.items() if state.startswith(prefix)), None) if state else None
    if remedy is None:
        remedy = next((text for words, text in _BY_WORDS.items() if words in what), None)
    if remedy is None and type(cause).__name__ == "OperationalError" and not state:
        remedy = f"check DATABASE_URL, and that the server runs and lets us in; {DOCTOR}"
    return f"The database says: {what}. What to do: {remedy or DOCTOR}."


def _system(error: OSError) -> str:
    place = f" [{error.filename}]" if error.filename else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"{error.strerror}.{place} What to do: {FULL} under {error.filename or 'PAYMENTS_HOME'}."
    if error.errno == errno.EROFS:
        return f"{error.strerror}.{place} What to do: name a place that can be written, e.g. by PAYMENTS_HOME."
    if error.filename:
        return f"{error.strerror}.{place} What to do: check that the path exists and is ours to read and write."
    return f"{error.strerror}. What to do: {REPORT_IT}."


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
