"""What `--help` says around the commands: in which order and under which heading they stand, a line of each, examples.

Belongs here: words and order. Does not belong here: what a command takes and does; that stands at the command.
A test types every example.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

PROGRAM = "payments-pipeline"
EXIT_CODES = "Exit codes: 0 all is well, 1 something was found, 2 the command could not do its work."
BEGIN, DUTY, ACT = "Begin here", "On duty", "Findings and repairs"
READ, HOUSE = "Reading the providers", "The installation"


class Told(NamedTuple):
    """One command.

    Attributes:
        heading: under which it stands; none below the first level.
        line: in the list of commands; its own page has the whole text.
        examples: what to type after the program's name.
    """

    heading: str | None
    line: str
    examples: tuple[str, ...] = ()


COMMANDS: Mapping[str, Told] = {
    "demo": Told(BEGIN, "A world with known faults, found, alerted and repaired, in a minute.", ("demo --users 500",)),
    "dev": Told(BEGIN, "Dagster's UI and daemon on this machine, over a sandbox world or your own.", ("dev",)),
    "init": Told(BEGIN, "Write a .env to fill in for your own data, and say what comes next."),
    "doctor": Told(BEGIN, "Examine the installation; each line that is not well says what to do.", ("doctor --post",)),
    "check": Told(DUTY, "A quick look: payers without access, open findings, what was not read."),
    "watch": Told(DUTY, "The same, kept on the screen.", ("watch 5",)),
    "user": Told(
        DUTY, "One user from both sides: access and why, payments, findings, a timeline.",
        ("user 1004", "user kim@example.com", "user cus_123 --json"),
    ),
    "payment": Told(DUTY, "One payment by any of its names.", ("payment pi_123", "payment 0xabc --json")),
    "report": Told(
        DUTY, "All reports, or the rows of one, as of any time, as a table or a file.",
        ("report", "report activation_gaps --as-of 2026-11-01T12:00:00Z", "report refunds --csv refunds.csv"),
    ),
    "stats": Told(
        DUTY, "Success, time to access, webhooks, failures, revenue, repairs.", ("stats revenue --days 7",)
    ),
    "health": Told(DUTY, "Does what must happen by itself happen? For cron and monitors, too."),
    "findings": Told(ACT, "What is open; one with its story; acknowledge, snooze, resolve."),
    "actions": Told(ACT, "Repairs: list, show, approve, apply, policies, stop them all."),
    "activate": Told(
        ACT, "Give a user access by hand, with a reason.",
        ('activate --user 17 --plan 3 --actor ann --reason "paid in cash"',
         'activate --user 17 --plan 3 --actor ann --reason "paid in cash" --no-dry-run'),
    ),
    "audit": Told(ACT, "Who did what: verify the trail, or show it of a user or a payment."),
    "outbox": Told(ACT, "Messages on their way: send again what was given up."),
    "reconcile": Told(READ, "The nightly reconciliation, now: read, compare, find, alert.", ("reconcile --repair",)),
    "backfill": Told(
        READ, "Read what a provider's accounts created in a window of the past.",
        ("backfill stripe --from 2024-01-01 --to 2026-01-01",
         "backfill stripe --from 2026-10-01 --to 2026-11-01 --resource refunds"),
    ),
    "coverage": Told(READ, "What was read of each account, and what is missing in between.",
                     ("coverage --provider stripe",)),
    "db": Told(HOUSE, "The database: upgrade it, its address, stop the embedded server."),
    "env": Told(HOUSE, "The variables that Dagster's own processes need."),
    "accuracy": Told(HOUSE, "Measure what is found, missed and said falsely, on bad days."),
    "version": Told(HOUSE, "Print the version; also --version."),
    "findings list": Told(
        None, "What is open now, the gravest and oldest first.",
        ("findings list --severity high", "findings list --report disputes --limit 20", "findings list --user 1004"),
    ),
    "findings snooze": Told(
        None, "Nothing of it until then; it wakes by itself.", ("findings snooze 17 --until 2026-11-02T08:00:00Z",)
    ),
    "findings resolve": Told(None, "Say that it is over, and why.", ('findings resolve 17 --reason "paid in cash"',)),
    "actions propose": Told(
        None, "Propose a repair of what you name, without a finding.",
        ('actions propose capture_payment provider_ref=pi_1 capture_amount=30.50 --actor ann --reason "delivered"',),
    ),
    "actions apply": Told(
        None, "Make a repair that policy lets you make.",
        ("actions apply 12 --actor ann", "actions apply 12 --actor ann --no-dry-run"),
    ),
    "actions policy": Told(
        None, "Change a policy; what you do not name stays.",
        ("actions policy capture_payment --actor ann --mode propose --approvals 2",
         'actions policy capture_payment --actor ann --limit-day "USD 500"'),
    ),
}  # fmt: skip
TRY = (
    "Without keys, over a simulated world: payments-pipeline demo. With your own data: payments-pipeline init.\n\n"
    "COMMAND --help tells more of each; docs/commands.md has them all. --json gives JSON in place of tables.\n\n"
    + EXIT_CODES
)


def shown_as(name: str) -> dict[str, Any]:
    """What typer takes at the registration of the command `name`, e.g. ``findings list``."""
    told = COMMANDS[name]
    asked = {"short_help": told.line, "rich_help_panel": told.heading}
    if not told.examples:
        return asked
    head = "Example:" if len(told.examples) == 1 else "Examples:"
    return asked | {"epilog": "\n\n".join([head, *(f"$ {PROGRAM} {one}" for one in told.examples)])}
