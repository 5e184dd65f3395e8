"""A database that went away in the middle of things, as the transient error that it is.

Belongs here: telling lost connections from mistakes. Does not belong here: retrying, which is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import exc

from payments_pipeline.errors import TransientError


@contextmanager
def lost_database_is_transient(where: str) -> Iterator[None]:
    """A block, or as a decorator a function, whose lost connections are raised as TransientError.

    Raises:
        TransientError: the server restarted, ended the connection, refuses new ones, chose us as a deadlock's victim,
            or ran out of connections or disk space. Other errors of the database pass as they are.
    """
    try:
        yield
    except (psycopg.OperationalError, exc.OperationalError, exc.TimeoutError) as error:
        raise _transient(error, where) from error
    except exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise _transient(error, where) from error


def _transient(error: Exception, where: str) -> TransientError:
    cause = getattr(error, "orig", None) or error
    return TransientError(
        f"PostgreSQL failed us ({type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else 'no answer'}).",
        where=where,
        remedy="Run again when the server is back: what was certified is kept, the rest is read again.",
    )
