"""A report file: YAML in a block comment, then one SELECT. Reads it, and says plainly what is wrong with it.

Belongs here: the meaning of each key of the front matter, and the checks that need no database. Does not belong here:
running the query (materialise.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from payments_pipeline.core.states import Severity
from payments_pipeline.db.sql import sql_root
from payments_pipeline.errors import ReportError
from payments_pipeline.providers.catalogue import SPECS
from payments_pipeline.reports.lineage import parse_query
from payments_pipeline.reports.scope import KEYS, By, Scope, scoped

Param = bool | int | float | str

AS_OF = "as_of"
# What every report table has beside the report's own columns.
ADDED_COLUMNS = ("fingerprint", "severity")
_BLOCK = re.compile(r"\A\s*/\*-*[ \t]*\n(?P<yaml>.*?)-*\*/", re.DOTALL)
# PostgreSQL cuts names at 63 bytes; room is left for the name of the table under construction.
_NAME = re.compile(r"[a-z][a-z_]{0,49}")
_RELATION = re.compile(r"^(\w+)\.(\w+)(?: by (user|transaction|payment))?$")
_REMEDY = "Correct the file; sql/reports/activation_gaps.sql shows every key."


def _or_empty(value: object) -> object:
    return {} if value is None else value


class TouchedMatter(BaseModel):
    """How a query is limited to what was touched, as written in YAML; relations as ``CTE.alias [by what]``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    by: Literal["user", "transaction"]
    relations: list[Annotated[str, Field(pattern=_RELATION.pattern)]] = Field(min_length=1)


class FrontMatter(BaseModel):
    """The keys of a front matter, as written in YAML."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: str = Field(min_length=1)
    severity: Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
    key: list[str] = Field(min_length=1)
    why: str = ""
    what_to_do: str = ""
    coverage: Annotated[dict[str, list[str]], BeforeValidator(_or_empty)] = Field(default_factory=dict)
    unconfigured: Literal["judge", "withhold"] = "judge"
    params: Annotated[dict[str, Param], BeforeValidator(_or_empty)] = Field(default_factory=dict)
    action: str | None = None
    intraday: Literal["full", "touched", "nightly"] = "nightly"
    touched: TouchedMatter | None = None
    columns: Annotated[dict[str, str], BeforeValidator(_or_empty)] = Field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """One report file, read and checked.

    Attributes:
        name: the file's name without .sql; also the table in schema reports and the asset's key.
        severity: of its rows, unless the query has a column of that name.
        key: columns that together identify an anomaly.
        coverage: provider -> resources that must have been read in full before a row of that provider counts.
        unconfigured: what rows of a provider without credentials are worth: judge (the application's own evidence is
            enough) or withhold.
        params: defaults of the parameters bound in the query, beside as_of.
        action: the repair that its findings propose; None for none.
        intraday: what happens to its table between two nights: full, the whole query, for those that are fast on any
            history; touched, what changed since; nightly, nothing.
        scope: how the query is limited to what was touched; None unless `intraday` is touched.
        columns: column -> description.
        tables: what the query reads, e.g. ``recon.app_users``.
        selects: columns that the query gives, in order; None where a ``*`` leaves them to the database.
        sql: the query alone.
        path: where it was read.
    """

    name: str
    title: str
    why: str
    severity: Severity
    what_to_do: str
    key: tuple[str, ...]
    coverage: Mapping[str, tuple[str, ...]]
    unconfigured: Literal["judge", "withhold"]
    params: Mapping[str, Param]
    action: str | None
    intraday: Literal["full", "touched", "nightly"]
    scope: Scope | None
    columns: Mapping[str, str]
    tables: tuple[str, ...]
    selects: tuple[str, ...] | None
    sql: str
    path: Path


def load_reports(folder: Path | None = None) -> dict[str, Report]:
    """Every report of `folder` by name, in alphabetical order; None: the shipped ones, sql/reports.

    Raises:
        ReportError: one file or several are malformed; names each file and field.
    """
    folder = folder or sql_root() / "reports"
    reports, problems = {}, []
    for path in sorted(folder.glob("*.sql")):
        try:
            reports[path.stem] = read_report(path)
        except ReportError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ReportError(" ".join(problem.what for problem in problems), where=str(folder), remedy=_REMEDY)
    return reports


def read_report(path: Path) -> Report:
    """Read one file.

    Raises:
        ReportError: it is malformed; names file and field.
    """
    try:
        return _report(path, path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:  # UnicodeDecodeError and our own findings are ValueErrors
        raise ReportError(
            f"Report {path.name} can't be used: {error}.",
            where=str(path),
            remedy=_REMEDY,
        ) from None


@cache
def _report(path: Path, source: str) -> Report:
    if not _NAME.fullmatch(path.stem):
        raise ValueError("the file's name becomes a table: use a-z and _ only, at most 50 characters")
    block = _BLOCK.match(source)
    if block is None:
        raise ValueError("it does not begin with a front matter, YAML between /*--- and ---*/")
    front = _front_matter(block["yaml"])
    sql = source[block.end() :].strip().rstrip(";").rstrip()
    query = parse_query(sql)
    _check_params(front, query.params)
    _check_coverage(front)
    if query.columns is not None:
        check_columns(front.key, front.columns, query.columns)
    return Report(
        name=path.stem,
        title=front.title,
        why=front.why,
        severity=Severity(front.severity),
        what_to_do=front.what_to_do,
        key=tuple(front.key),
        coverage={provider: tuple(resources) for provider, resources in front.coverage.items()},
        unconfigured=front.unconfigured,
        params=front.params,
        action=front.action,
        intraday=front.intraday,
        scope=_scope(front, sql, query.columns),
        columns=front.columns,
        tables=query.tables,
        selects=query.columns,
        sql=sql,
        path=path,
    )


def _front_matter(text: str) -> FrontMatter:
    try:
        values = _values(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 2} of the file)" if mark is not None else ""
        raise ValueError(f"the front matter is not YAML: {getattr(error, 'problem', None) or error}{line}") from None
    if not isinstance(values, dict):
        raise ValueError("the front matter is not a mapping of keys to values")
    try:
        return FrontMatter.model_validate(values)
    except ValidationError as error:
        raise ValueError("front matter: " + "; ".join(_problem(dict(item)) for item in error.errors())) from None


def _values(text: str) -> Any:
    """The YAML's values, by libyaml where it is there; what is wrong with a text is told by the slower reader."""
    with suppress(AttributeError, yaml.YAMLError):
        return yaml.load(text, yaml.CSafeLoader)
    return yaml.safe_load(text)


def _problem(item: dict[str, object]) -> str:
    location = item["loc"]
    field = ".".join(str(part) for part in location) if isinstance(location, tuple) else str(location)
    meaning = {"extra_forbidden": "unknown key", "missing": "missing"}.get(str(item["type"]), str(item["msg"]))
    return f"{field}: {meaning}"


def _check_params(front: FrontMatter, used: frozenset[str]) -> None:
    unknown = sorted(used - front.params.keys() - {AS_OF})
    if unknown:
        raise ValueError(f"the query uses :{', :'.join(unknown)}, which params does not declare")
    unused = sorted(front.params.keys() - used)
    if unused:
        raise ValueError(f"params declares {', '.join(unused)}, which the query does not use")


def _check_coverage(front: FrontMatter) -> None:
    # A misspelt resource would never be complete and would withhold the report's findings for ever.
    known = {(spec.provider, spec.name) for spec in SPECS}
    unknown = [
        f"{provider} {resource}"
        for provider, resources in front.coverage.items()
        for resource in resources
        if (provider, resource) not in known
    ]
    if unknown:
        there = ", ".join(f"{provider} {resource}" for provider, resource in sorted(known))
        raise ValueError(f"coverage names {', '.join(unknown)}, which nobody fetches; there are {there}")


def _scope(front: FrontMatter, sql: str, columns: tuple[str, ...] | None) -> Scope | None:
    if (front.touched is None) != (front.intraday != "touched"):
        raise ValueError("touched says how intraday: touched limits the query; neither goes without the other")
    if front.touched is None:
        return None
    lacking = [column for column in KEYS[front.touched.by] if columns is not None and column not in columns]
    if lacking:
        raise ValueError(f"by: {front.touched.by} needs {', '.join(lacking)} in the query's columns")
    named = [
        match.groups(front.touched.by) for relation in front.touched.relations if (match := _RELATION.match(relation))
    ]
    scope = Scope(front.touched.by, tuple(cast("tuple[str, str, By]", relation) for relation in named))
    scoped(sql, scope)
    return scope


def check_columns(key: list[str] | tuple[str, ...], described: Mapping[str, str], present: tuple[str, ...]) -> None:
    """Key and described columns must be among those that the query gives.

    Raises:
        ValueError: some are not, a column is there twice, or one has a name that is ours.
    """
    missing = [column for column in key if column not in present]
    if missing:
        raise ValueError(f"key names {', '.join(missing)}, which the query does not select")
    stray = [column for column in described if column not in present]
    if stray:
        raise ValueError(f"columns describes {', '.join(stray)}, which the query does not select")
    twice = sorted({column for column in present if present.count(column) > 1})
    if twice:
        raise ValueError(f"the query selects {', '.join(twice)} twice; give one another name")
    odd = [column for column in present if not column.isidentifier()]
    if odd:
        raise ValueError(f"the query names a column {odd[0]!r}; use letters, digits and _ only")
    if "fingerprint" in present:
        raise ValueError("fingerprint is the name of a column that every report gets; choose another name")
