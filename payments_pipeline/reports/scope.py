"""Limits a report's query to what was touched: its text with some relations replaced by their touched rows.

Belongs here: the text of one query. Does not belong here: what was touched (touched.py), or running it (intraday.py).
The rule of a report stands in one place, its file; a front matter names the relations that a limited run begins from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from sqlglot import Token, TokenType, tokenize

By = Literal["user", "transaction", "payment"]
# Columns that identify what was touched, and the temporary table that has them.
KEYS: dict[By, tuple[str, ...]] = {
    "user": ("user_id",),
    "transaction": ("provider", "provider_ref"),
    "payment": ("payment_id",),
}
TABLES: dict[By, str] = {
    "user": "touched_users",
    "transaction": "touched_transactions",
    "payment": "touched_payments",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """How a query is limited.

    Attributes:
        by: user: rows are of users (column user_id); transaction: of provider objects (provider, provider_ref).
        relations: (CTE, alias in it, by what) that are read for touched keys alone. They must keep every row that a row
            of a touched key is made of.
    """

    by: By
    relations: tuple[tuple[str, str, By], ...]


@cache
def scoped(sql: str, scope: Scope) -> str:
    """The query, limited.

    Raises:
        ValueError: there is no such CTE, or it reads no table under that alias.
    """
    tokens = tokenize(sql, read="postgres")
    places: list[tuple[int, int, str]] = []
    for cte, alias, by in scope.relations:
        found = list(_relations(_body(tokens, cte), alias))
        if not found:
            raise ValueError(f"touched names {cte}.{alias}, but the query has no such CTE that reads a table so called")
        places += [(first, last, _limited(sql[first : last + 1], by)) for first, last in found]
    for first, last, text in sorted(places, reverse=True):
        sql = sql[:first] + text + sql[last + 1 :]
    return sql


def inside(alias: str, by: By) -> str:
    """A condition that rows of a table with the key's columns are of what was touched."""
    same = " AND ".join(f"k.{column} = {alias}.{column}" for column in KEYS[by])
    return f"EXISTS (SELECT 1 FROM pg_temp.{TABLES[by]} AS k WHERE {same})"  # noqa: S608  (constants of ours)


def _limited(table: str, by: By) -> str:
    same = " AND ".join(f"k.{column} = x.{column}" for column in KEYS[by])
    return f"(SELECT x.* FROM pg_temp.{TABLES[by]} AS k INNER JOIN {table} AS x ON {same})"  # noqa: S608


def _body(tokens: Sequence[Token], cte: str) -> Sequence[Token]:
    """What stands between the parentheses of a CTE."""
    for at in range(len(tokens) - 2):
        kinds = (tokens[at + 1].token_type, tokens[at + 2].token_type)
        if tokens[at].text == cte and kinds == (TokenType.ALIAS, TokenType.L_PAREN):
            depth = 0
            for end in range(at + 2, len(tokens)):
                depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(tokens[end].token_type, 0)
                if depth == 0:
                    return tokens[at + 3 : end]
    return ()


def _relations(body: Sequence[Token], alias: str) -> list[tuple[int, int]]:
    """First and last position of each table with a schema that is read under this alias."""
    return [
        (body[at].start, body[at + 2].end)
        for at in range(len(body) - 4)
        if body[at + 1].token_type is TokenType.DOT
        and body[at + 3].token_type is TokenType.ALIAS
        and body[at + 4].text == alias
        and (at == 0 or body[at - 1].token_type in {TokenType.FROM, TokenType.JOIN})
    ]
