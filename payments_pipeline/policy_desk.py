"""Where people look at policies and change them: what the commands `actions policies` and `actions policy…` do.

Belongs here: reading for people, a table, asking the layers below. Does not belong here: any rule (remediation/), or
parsing words (actions_cli.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from payments_pipeline.config import Settings
from payments_pipeline.core.likeness import did_you_mean
from payments_pipeline.db.engine import get_engine
from payments_pipeline.errors import ConfigurationError
from payments_pipeline.json_output import for_people, write_json
from payments_pipeline.remediation.policy_change import change_policy, confirm_policy, record_policy, refuse_policy
from payments_pipeline.remediation.policy_writing import Limits
from payments_pipeline.repairs import FOUND, WELL, rows_of, wide_console, words
from payments_pipeline.reports import load_reports
from payments_pipeline.screen import Table

Row = dict[str, Any]


def run_policies(settings: Settings, *, as_of: datetime, json: Path | None) -> int:
    """Every policy that is in force, and changes that wait for a second person."""
    engine = get_engine(settings)
    rows = rows_of(engine, "remediation/policies.sql")
    limits = rows_of(engine, "remediation/policy_limits.sql")
    waiting = rows_of(engine, "remediation/policy_requests.sql", at=as_of)
    known = {(row["action"], row["report"]) for row in rows}
    for row in rows:
        row["limits"] = [
            {name: value for name, value in one.items() if name not in {"action", "report"}}
            for one in limits
            if (one["action"], one["report"]) == (row["action"], row["report"])
        ]
        row["waiting"] = [one for one in waiting if _stands_with(one, row, known)]
    write_json(json, rows)
    if for_people(json):
        _show(rows, waiting)
    return WELL


def run_policy(
    settings: Settings,
    kind: str,
    *,
    report: str,
    changes: Mapping[str, Any],
    limits: Limits,
    actor: str,
    as_of: datetime,
) -> int:
    """Change a policy; what is not named stays. Exit code 1 when it waits for a second person.

    Raises:
        ConfigurationError: there is no such report. PermanentError: as `change_policy`.
    """
    if report and report not in (known := load_reports()):
        remedy = did_you_mean(report, known, "payments-pipeline report lists all of them.")
        raise ConfigurationError(f"There is no report {report!r}.", where="--report", remedy=remedy)
    wanted = {name: value for name, value in changes.items() if value is not None}
    became = change_policy(
        get_engine(settings), kind, actor=actor, as_of=as_of, report=report, changes=wanted, limits=limits
    )  # fmt: skip
    if became.request_id is not None:
        wide_console().print(
            f"Change {became.request_id} of policy waits for a second person, for it loosens: {became.loosens}. They "
            f"agree with: payments-pipeline actions policy-confirm {became.request_id} --actor NAME",
            highlight=False,
        )
        return FOUND
    said = words(
        wanted | {f"{currency} {field}": sum_ for currency, one in limits.items() for field, sum_ in one.items()}
    )
    wide_console().print(f"Policy for {kind} is changed: {said}.", highlight=False)
    return WELL


def run_policy_confirm(settings: Settings, request: int, *, actor: str, as_of: datetime) -> int:
    """A second person agrees to a change."""
    confirm_policy(get_engine(settings), request, actor=actor, as_of=as_of)
    wide_console().print(f"Change {request} of policy holds.", highlight=False)
    return WELL


def run_policy_refuse(settings: Settings, request: int, *, actor: str, as_of: datetime, reason: str) -> int:
    """Somebody decides against a change."""
    refuse_policy(get_engine(settings), request, actor=actor, as_of=as_of, reason=reason)
    wide_console().print(f"Change {request} of policy is refused.", highlight=False)
    return WELL


def run_policy_record(settings: Settings, *, actor: str, as_of: datetime, reason: str) -> int:
    """Enter in the trail what was changed by SQL."""
    versions = record_policy(get_engine(settings), actor=actor, as_of=as_of, reason=reason)
    said = (
        f"{versions} versions are entered in the audit trail." if versions else "Every version is in the audit trail."
    )
    wide_console().print(said, highlight=False)
    return WELL


def _stands_with(request: Row, row: Row, known: set[tuple[str, str]]) -> bool:
    """With the policy it changes, or with the kind's where the report has none of its own yet."""
    place = (request["action"], request["report"])
    return (row["action"], row["report"]) == (place if place in known else (request["action"], ""))


def _show(rows: Sequence[Row], waiting: Sequence[Row]) -> None:
    table = Table(
        "repair", "report", "mode", "approvals", "a run", "a day", "lapses after", "version", "sums: run, day, second"
    )
    for row in rows:
        table.add_row(
            row["action"], row["report"] or "every other", row["mode"], str(row["approvals"]), str(row["max_per_run"]),
            "" if row["max_per_day"] is None else str(row["max_per_day"]), row["expires_after"], str(row["version"]),
            "; ".join(_limit(one) for one in row["limits"]),
        )  # fmt: skip
    console = wide_console()
    console.print(table)
    for one in waiting:
        place = f"{one['action']}{' of ' + one['report'] if one['report'] else ''}"
        console.print(
            f"Change {one['policy_request_id']} waits until {one['expires_at']} for somebody besides "
            f"{one['asked_by']}: {place}, {one['loosens']}",
            highlight=False,
        )


def _limit(one: Row) -> str:
    sums = (one["max_amount_per_run"], one["max_amount_per_day"], one["second_approval_above"])
    return f"{one['currency']} {', '.join('none' if each is None else str(each) for each in sums)}"
