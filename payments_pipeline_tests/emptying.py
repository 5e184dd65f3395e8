"""Makes a database that several tests share as it was before: only what was written to is emptied.

Emptying a table costs as much as making it and its indexes, whether or not anything stands in it; a test writes to few.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg import sql
from sqlalchemy import Connection

# A table that was never written to since it was made or emptied has no page.
_WRITTEN = """
    SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = ANY(%s::regclass[]) AND pg_relation_size(c.oid) > 0
"""


def emptied(connection: Connection, tables: Iterable[str]) -> None:
    """Empty these tables (``schema.name``) and what refers to them; their numbers begin at one again."""
    found: Any = connection.exec_driver_sql(_WRITTEN, (list(tables),))
    written = [sql.Identifier(schema, name) for schema, name in found]
    if written:
        truncate = sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(sql.SQL(", ").join(written))
        connection.exec_driver_sql(truncate.as_string())
