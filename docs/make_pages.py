"""Writes the pages that are made from the code: every report, every kind of repair, every command.

Belongs here: from front matter, docstrings and policies to Markdown. `make docs` runs it; a test compares its pages
with what the code says now.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from payments_pipeline.cli import app
from payments_pipeline.db.sql import read_sql
from payments_pipeline.remediation.kinds import ActionKind
from payments_pipeline.remediation.registry import KINDS
from payments_pipeline.reports import Report, load_reports

FOLDER = Path(__file__).parent
MADE = "<!-- Written by `make docs`; change the code, not this page. -->\n"
JSON_HOLDS = {
    "check": "`at`, `gaps`, `live_findings`, `unread`, `notifications`, `proposed_actions`",
    "user": "`user`, `entitlement`, `payments`, `objects`, `webhooks`, `events`, `findings`, `trail`, `timeline`",
    "payment": "the same, of one payment",
    "doctor": "`at`, `lines`: each `part`, `state`, `what`, `remedy`",
    "stats": "`as_of`, `days`, `stats`: name -> rows",
    "demo": "`reports` with planted, found, missed and false; `actions`, `repairs`, `findings`, `seconds` and more",
    "reconcile": "`coverage`, `reports`, `open_findings`, `findings`, `outbox`, `actions`",
    "backfill": "`window`, `resources`",
    "coverage": "`as_of`, `resources`: each with `state`, `gaps`, `covered`, `watermark`",
    "report": "the rows, as a list; without a name the reports with `severity`, `title`, `rows`",
    "accuracy": "`reports`, `lines`: what was found, missed and said falsely",
    "health": "`healthy`, `looks`",
    "audit verify": "`rows`, `broken_at`, `head`, `unaudited`, `noted`, `beside`",
    "audit show": "the rows of the trail, as a list",
    "actions list": "the actions, as a list",
    "actions show": "`action`, `approvals`, `trail`",
    "actions policies": "the policies, as a list",
    "findings list": "the findings, as a list",
    "findings show": "`finding`, `coverage`, `episodes`, `events`, `messages`",
}
"""Command -> what its JSON holds; a command that learns `--json` must be added here."""
STATES = (
    "An action is *proposed* with the facts it was planned on and the exact effects. It is *approved* when as "
    "many people agreed as policy asks for, *applying* once it was begun and its outcome is open, and ends as "
    "*verified* (done, and read back on both sides), *rejected* (not due any more, refused by the provider, or by "
    "a person: nothing was done), *failed* (a person must look) or *expired* (nobody took it up). Below, *target* "
    "is what `actions propose KIND name=value` takes, *check* when it may be made, *doubt* when a person must "
    "agree whatever policy says, *plan* what it changes, *verify* what must be true afterwards."
)
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")


def pages() -> dict[str, str]:
    """File name -> text."""
    return {"reports.md": reports_page(), "actions.md": actions_page(), "commands.md": commands_page()}


def reports_page() -> str:
    """Every report: what it says, what to do, its parameters and columns."""
    reports = load_reports()
    lines = [MADE, "# Reports", "", f"{len(reports)} reports, each one file in `sql/reports/`.", ""]
    lines += ["| report | severity | says | repair |", "|---|---|---|---|"]
    for report in sorted(reports.values(), key=lambda one: (SEVERITIES.index(one.severity), one.name)):
        repair = f"[{report.action}](actions.md#{report.action})" if report.action else ""
        lines.append(f"| [{report.name}](#{report.name}) | {report.severity} | {report.title} | {repair} |")
    for report in reports.values():
        lines += ["", *_report(report)]
    return "\n".join(lines) + "\n"


def _report(report: Report) -> Iterator[str]:
    yield f"## {report.name}"
    yield ""
    yield f"**{report.title}** ({report.severity}). {report.why}"
    yield ""
    yield f"*What to do.* {report.what_to_do}"
    yield ""
    needed = "; ".join(f"{provider}: {', '.join(names)}" for provider, names in report.coverage.items())
    yield f"- told apart by: {', '.join(report.key)}"
    yield f"- must have been read in full: {needed or 'nothing, the application is asked alone'}"
    if report.params:
        yield "- parameters: " + ", ".join(f"`{name}` = {value}" for name, value in report.params.items())
    if report.action:
        yield f"- proposes: [{report.action}](actions.md#{report.action})"
    yield ""
    yield "| column | meaning |"
    yield "|---|---|"
    for name, meaning in report.columns.items():
        yield f"| `{name}` | {meaning} |"


def actions_page() -> str:
    """Every kind of repair: what it does, and what policy is shipped for it."""
    policies = _policies()
    wanted: dict[str, list[str]] = {}
    for report in load_reports().values():
        if report.action:
            wanted.setdefault(report.action, []).append(report.name)
    lines = [
        MADE, "# Repairs", "",
        "A repair is planned on facts that are read again before it is made, approved as policy says, made once, read "
        "back and verified. How to work with them: [operations](operations.md#repairs).", "",
        STATES, "",
        "| kind | policy as shipped | proposed by |", "|---|---|---|",
    ]  # fmt: skip
    for name in KINDS:
        told = "; ".join(policies.get(name, ["off"]))
        lines.append(f"| [{name}](#{name}) | {told} | {', '.join(wanted.get(name, [])) or 'people'} |")
    for kind in KINDS.values():
        lines += ["", *_kind(kind)]
    return "\n".join(lines) + "\n"


def _kind(kind: ActionKind) -> Iterator[str]:
    module = inspect.getmodule(type(kind))
    yield f"## {kind.name}"
    yield ""
    own = inspect.getdoc(type(kind)) or ""
    told = own if module is None or not own.startswith("See the module") else module.__doc__ or ""
    yield " ".join(told.split("\n\n")[0].split())
    yield ""
    for word in ("target", "check", "doubt", "plan", "verify"):
        if not hasattr(kind, word):
            continue
        told = " ".join((inspect.getdoc(getattr(type(kind), word)) or "").split("\n\n")[0].split())
        yield f"- {word}: {told}"


def _policies() -> dict[str, list[str]]:
    """Kind -> policies of a fresh database, in words."""
    found: dict[str, list[str]] = {}
    row = re.compile(r"\('(\w+)', '(\w*)', '(off|propose|auto)', (\d), (\d+), (\d+|NULL)\)")
    first = re.compile(r"\('(\w+)', '(auto|propose|off)', (\d), (\d+), cast")
    for action, mode, approvals, most in first.findall(read_sql("migrations/versions/0002_state_map.sql")):
        found.setdefault(action, []).append(_policy(mode, approvals, most, "NULL", ""))
    for path in sorted((FOLDER.parent / "sql" / "migrations" / "versions").glob("*.sql")):
        for action, report, mode, approvals, most, day in row.findall(path.read_text(encoding="utf-8")):
            found.setdefault(action, []).append(_policy(mode, approvals, most, day, report))
    return found


def _policy(mode: str, approvals: str, most: str, day: str, report: str) -> str:
    people = {"0": "no approval", "1": "one approval", "2": "two approvals"}[approvals]
    daily = "" if day == "NULL" else f", {day} a day"
    return f"{mode}{f' for {report}' if report else ''} ({people}; at most {most} a run{daily})"


def commands_page() -> str:
    """Every command with its options, as --help tells them."""
    lines = [
        MADE, "# Commands", "",
        "Exit codes: 0 all is well, 1 something was found, 2 the command could not do its work (one sentence says why "
        "and what to do).", "",
    ]  # fmt: skip
    leaves = list(_leaves(typer.main.get_command(app), "payments-pipeline"))
    lines += [*_json_table([name for name, command in leaves if _takes_json(command)]), ""]
    for name, command in leaves:
        lines += [f"## {name}", "", (command.help or "").strip(), ""]
        examples = [one.removeprefix("$ ") for one in (command.epilog or "").split("\n\n") if one.startswith("$ ")]
        lines += ["```sh", *examples, "```", ""] if examples else []
        for parameter in command.params:
            if parameter.name == "help":
                continue
            option = parameter.param_type_name == "option"
            names = ", ".join(f"`{one}`" for one in (parameter.opts if option else [_argument(parameter)]))
            lines.append(f"- {names}: {getattr(parameter, 'help', None) or ''}")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _takes_json(command: Any) -> bool:
    return any("--json" in getattr(parameter, "opts", ()) for parameter in command.params)


def _json_table(names: list[str]) -> Iterator[str]:
    """How `--json` is spelt everywhere, and what each command puts in."""
    yield "## JSON"
    yield ""
    yield "| spelt | standard output | file |"
    yield "|---|---|---|"
    yield "| nothing | tables for people | |"
    yield "| `--json`, `--json -` | the JSON, and nothing else; a long command tells on standard error how it goes | |"
    yield "| `--json out.json`, `--json=FILE` | tables for people | the JSON |"
    yield ""
    yield (
        "The word after `--json` is its file where it ends in `.json` or has a `/` in it; `--json=FILE` takes any "
        "name. Times are ISO 8601 in UTC, exact amounts are text. The exit code is the same in every form; of an error "
        "nothing stands on standard output, and one sentence on standard error."
    )
    yield ""
    yield "| command | JSON |"
    yield "|---|---|"
    for name in names:
        yield f"| [{name}](#{name.replace(' ', '-')}) | {JSON_HOLDS[name.partition(' ')[2]]} |"


def _argument(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name).upper()


def _leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    below_it = getattr(command, "commands", None)  # typer brings a copy of click whose classes have no public name
    if below_it:
        for name, below in below_it.items():
            yield from _leaves(below, f"{path} {name}")
    else:
        yield path, command


if __name__ == "__main__":
    for file, text in pages().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
