"""How tables and numbers look in the Dagster UI: values in, metadata out.

Belongs here: column schemas, previews, sparklines, shared labels of assets. Does not belong here: any query but those
that show what a table holds.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import orjson
from sqlalchemy import Connection, Engine, MetaData, Table, func, select

from payments_pipeline.assets.columns import meanings
from payments_pipeline.assets.pictures import INLINE
from payments_pipeline.core.money import stripe_exponent
from payments_pipeline.db.sql import named, sql_root

OWNERS = ["team:payments"]
# The nightly run is due each 24 hours; an hour or two of delay is no alarm.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=26), warn_window=timedelta(hours=25))
SPARKS = "▁▂▃▄▅▆▇█"
PREVIEW_ROWS = 10
# What PostgreSQL says of the tables that queries make; a test holds it against a database.
MADE = Path(__file__).parent / "made_columns.json"
CELL_WIDTH = 60
# Of a table that the page shows itself: how wide it may be there, and what a letter of a cell, one of a head and the
# space between two columns take, in pixels.
GLANCE_ROOM = 490
LETTER, HEAD_LETTER, BETWEEN = 8.2, 5.6, 17
GLANCE_COLUMNS = 6
GLANCE_WIDTH = 18
LOOKED_AT_FIRST = ("severity", "user_id", "payment_id", "amount", "currency", "provider_ref", "reason", "provider")
FINEST = 8  # decimals, on a page: sums of coins have up to 26

# What would end a cell, or make a picture, a link or a tag of what a customer wrote: pages load pictures unasked.
_MARKS = re.compile(r"([\\|\[<`])")
_BREAKS = re.compile(r"[\r\n]+")
_TABLE = re.compile(r"^CREATE TABLE recon\.(\w+) \(\n(.*?)^\);", re.MULTILINE | re.DOTALL)
_ALTERED = re.compile(r"^ALTER TABLE recon\.(\w+)\s+(.*?);", re.MULTILINE | re.DOTALL)
_ADDED = re.compile(r"\bADD COLUMN (?:IF NOT EXISTS )?(\w+) ([a-z]+)")
_COLUMN = re.compile(r"^ {4}([a-z_0-9]+) ([a-z]+)", re.MULTILINE)


@cache
def table_columns() -> dict[str, dict[str, str]]:
    """Columns of the recon tables with their types, read from the migrations: definitions load without a database."""
    tables: dict[str, dict[str, str]] = {}
    for path in sorted((sql_root() / "migrations" / "versions").glob("*.sql")):
        source = path.read_text(encoding="utf-8")
        for table, body in _TABLE.findall(source):
            tables[table] = dict(_COLUMN.findall(body))
        for table, body in _ALTERED.findall(source):
            tables.setdefault(table, {}).update(_ADDED.findall(body))
    return tables


def made_columns(table: str, names: Iterable[str]) -> dict[str, str]:
    """Types of the columns `names` of a table or view that a query makes, as far as they are known (``make columns``).

    Args:
        table: with its schema, e.g. ``reports.disputes``; one that a company added itself is known after its first run.
    """
    known = _made().get(table, {})
    return {name: known.get(name, "") for name in names}


@cache
def _made() -> dict[str, dict[str, str]]:
    tables: dict[str, dict[str, str]] = orjson.loads(MADE.read_bytes())
    return tables


def stored_columns(connection: Connection, table: str) -> dict[str, str]:
    """Columns of a stored table with their types, in order; none where there is no such table."""
    rows = connection.execute(named("assets/columns.sql"), {"table": table})
    return {row.attname: row.kind for row in rows}


def column_schema(columns: Mapping[str, str], descriptions: Mapping[str, str] | None = None) -> dg.TableSchema:
    """Dagster's schema of `columns` (name -> type)."""
    texts = descriptions or {}
    return dg.TableSchema([dg.TableColumn(name, kind, texts.get(name)) for name, kind in columns.items()])


def table_schema(table: str) -> dg.TableSchema:
    """Dagster's schema of one of the recon tables: its own columns, and what they mean."""
    columns = table_columns()[table]
    return column_schema(columns, meanings(table, columns))


def preview(rows: Sequence[Mapping[str, Any]]) -> dg.MarkdownMetadataValue:
    """The first rows as a Markdown table; says so when there are none."""
    return dg.MetadataValue.md(_table(list(rows[0]), rows[:PREVIEW_ROWS], CELL_WIDTH) if rows else "no rows")


def glance(rows: Sequence[Mapping[str, Any]], first: Sequence[str] = LOOKED_AT_FIRST) -> dg.MarkdownMetadataValue:
    """As `preview`, so few columns and rows that the page shows them itself, not behind a button.

    Args:
        first: columns that people look at first; then come the others, in order. None in which nothing stands is shown.
    """
    shown = rows[:PREVIEW_ROWS]
    names = dict.fromkeys((*first, *(shown[0] if shown else ())))
    told = [name for name in names if any(_cell(row.get(name), 1) for row in shown)] or [*next(iter(shown), ())]
    fitting = _fitting(told, shown)
    tables = (_table(fitting, shown[:count], GLANCE_WIDTH) for count in range(len(shown), 0, -1))
    return dg.MetadataValue.md(next((table for table in tables if _length(table) < INLINE), "no rows"))


def _fitting(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """As many columns as stand side by side on the page, words unbroken, the first ones that fit; at least one."""
    fitting: list[str] = []
    room = float(GLANCE_ROOM)
    for name in names:
        longest = max(len(word) for row in rows for word in (*_cell(row.get(name), GLANCE_WIDTH).split(), ""))
        wide = max(longest * LETTER, len(name) * HEAD_LETTER) + BETWEEN
        if not fitting or (wide <= room and len(fitting) < GLANCE_COLUMNS):
            fitting.append(name)
            room -= wide
    return fitting


def contents(engine: Engine, name: str) -> dict[str, Any]:
    """How many rows a recon table holds, and a few of them."""
    with engine.connect() as connection:
        stored = Table(name, MetaData(), schema="recon", autoload_with=connection)
        count = connection.execute(select(func.count()).select_from(stored)).scalar_one()
        rows = connection.execute(select(stored).limit(PREVIEW_ROWS)).mappings().all()
    return {"dagster/row_count": count, "preview": preview([dict(row) for row in rows])}


def amounts(by_currency: Mapping[str, Decimal]) -> str:
    """``{"USD": Decimal("5")}`` as ``5.00 USD``; several joined by commas, none as ``none``."""
    return ", ".join(f"{_digits(amount, name)} {name}" for name, amount in sorted(by_currency.items())) or "none"


def counts(by_severity: Mapping[str, int]) -> str:
    """``{"HIGH": 2}`` as ``HIGH 2``, the worst first."""
    order = ["CRITICAL", "HIGH", "MEDIUM", "LOW"]
    return ", ".join(f"{name} {by_severity[name]}" for name in order if by_severity.get(name)) or "none"


def sparkline(values: Sequence[int]) -> str:
    """A bar a value, oldest first: ``▁▁▃█``."""
    top = max(values, default=0)
    return "".join(SPARKS[value * (len(SPARKS) - 1) // top if top else 0] for value in values)


def _digits(amount: Decimal, currency: str) -> str:
    """With the currency's own decimals; with more, up to `FINEST`, only where they are not zero."""
    least = stripe_exponent(currency)
    whole, _, fraction = f"{amount:,.{FINEST}f}".partition(".")
    kept = fraction[:least] + fraction[least:].rstrip("0")
    return f"{whole}.{kept}" if kept else whole


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table(names: Sequence[str], rows: Sequence[Mapping[str, Any]], width: int) -> str:
    lines = [_line(names), _line(["---"] * len(names))]
    return "\n".join(lines + [_line([_cell(row.get(name), width) for name in names]) for row in rows])


def _cell(value: object, width: int) -> str:
    text = "" if value is None else str(value)
    short = text if len(text) <= width else f"{text[: width - 1]}…"
    return _MARKS.sub(r"\\\1", _BREAKS.sub(" ", short))


def _length(text: str) -> int:
    """As a browser counts: what lies beyond 16 bits is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
