"""Finds and reads SQL files. All SQL of the project lives in `sql/`; this is the one door to it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import TextClause, text

from payments_pipeline.errors import SchemaError


@cache
def sql_root() -> Path:
    """The `sql` folder: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parents[1]
    for candidate in (package.parent / "sql", package / "sql"):
        if (candidate / "migrations").is_dir():
            return candidate
    raise SchemaError("The sql folder is missing.", where=str(package), remedy="Reinstall payments-pipeline.")


@cache
def read_sql(name: str) -> str:
    """Text of one file, e.g. ``read_sql("findings/open.sql")``."""
    return (sql_root() / name).read_text(encoding="utf-8")


@cache
def named(name: str) -> TextClause:
    """One statement with ``:name`` parameters, ready for `Connection.execute`."""
    return text(read_sql(name))
