"""What a report's query is made of, read from its syntax tree: tables, parameters, columns, and what it may not do.

Belongs here: questions about the text of one query. Does not belong here: running it, or its front matter. Raises
`ValueError` with one sentence; front_matter.py adds the file's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_WRITES = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock)
_CLOCKS = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.CurrentDatetime, exp.Localtimestamp)
_CLOCK_FUNCTIONS = {"now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday"}


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT that may become a table.

    Attributes:
        tables: tables and views it reads, with their schema, sorted, e.g. ``recon.app_users``.
        params: names bound as ``:name``.
        columns: names of its output columns in order; None where a ``*`` leaves them to the database.
    """

    tables: tuple[str, ...]
    params: frozenset[str]
    columns: tuple[str, ...] | None


def parse_query(sql: str) -> Query:
    """Read a report's query, without its front matter.

    Raises:
        ValueError: it does not parse, is not one SELECT, writes, reads the wall clock, or leaves out a schema.
    """
    tree = _one_select(sql)
    nodes = list(tree.walk())  # once: walking takes longer than parsing
    for node in nodes:
        _refuse(node)
    names = tree.named_selects
    return Query(
        tables=_tables(nodes),
        params=frozenset(str(node.this) for node in nodes if isinstance(node, exp.Placeholder)),
        columns=None if "*" in names or "" in names else tuple(names),
    )


def _one_select(sql: str) -> exp.Query:
    try:
        statements = [
            tree for tree in sqlglot.parse(sql, read="postgres") if tree and not isinstance(tree, exp.Semicolon)
        ]
    except SqlglotError as error:
        raise ValueError(f"the SQL does not parse: {_first_line(error)}") from None
    if not statements:
        raise ValueError("there is no SQL after the front matter")
    if len(statements) > 1:
        raise ValueError(f"a report is one SELECT, here are {len(statements)} statements")
    (tree,) = statements
    if not isinstance(tree, exp.Query):
        raise ValueError(f"a report is one SELECT, this is {_kind(tree)}")
    return tree


def _refuse(node: exp.Expr) -> None:
    if isinstance(node, _WRITES) and not isinstance(node, exp.Query):
        raise ValueError(f"a report only reads, this contains {_kind(node)}")
    name = node.name.lower() if isinstance(node, exp.Anonymous) else ""
    if isinstance(node, _CLOCKS) or name in _CLOCK_FUNCTIONS:
        raise ValueError("it reads the wall clock; write :as_of instead, so that any moment can be reported on")


def _tables(nodes: Sequence[exp.Expr]) -> tuple[str, ...]:
    named_here = {node.alias for node in nodes if isinstance(node, exp.CTE)}
    found = set()
    for table in (node for node in nodes if isinstance(node, exp.Table)):
        if table.db:
            found.add(f"{table.db}.{table.name}")
        elif table.name and table.name not in named_here:
            raise ValueError(f"table {table.name} has no schema; write e.g. recon.{table.name}")
    return tuple(sorted(found))


def _kind(node: exp.Expr) -> str:
    return str(node.this).split()[0].upper() if isinstance(node, exp.Command) else node.key.upper()


def _first_line(error: SqlglotError) -> str:
    details = getattr(error, "errors", None)
    if details:
        first = details[0]
        return f"{first['description']} (line {first['line']}, near {first['highlight']!r})"
    return str(error).splitlines()[0]
