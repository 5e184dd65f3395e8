"""`payments-pipeline init`: a `.env` to fill in, and what to type next.

Belongs here: writing that one file, never over another. Does not belong here: reading it (config.py), or checking what
somebody filled in (doctor.py).
"""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from payments_pipeline.errors import ConfigurationError

NAME = ".env"
TEMPLATE = Path(__file__).resolve().parent / "env.example"
OURS_ALONE = 0o600  # it will hold keys
NEXT = (
    ("doctor", "what is reached, what is missing, what to do about each"),
    ("db upgrade", "our tables, and the views onto yours (docs/adapting.md)"),
    ("reconcile", "read the providers, run the reports, tell the alerts; repairs nothing"),
    ("dev --real", "the same in Dagster's UI, on this machine"),
)


def run_init(folder: Path) -> int:
    """Write `.env` into `folder` unless there is one, and say what comes next.

    Raises:
        ConfigurationError: the folder is none, or not ours to write.
    """
    console = Console(highlight=False, soft_wrap=True)
    file = folder / NAME
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OURS_ALONE)
    except FileExistsError:
        console.print(f"{file} is there already; it stays as it is.", markup=False)
    except OSError as error:
        raise ConfigurationError(
            f"{file} can't be written: {error.strerror}.", remedy="Name a folder that is ours to write."
        ) from None
    else:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(TEMPLATE.read_text(encoding="utf-8"))
        console.print(f"Wrote {file}: fill in what you use; everything in it is optional.", markup=False)
    console.print("Then:")
    for words, why in NEXT:
        console.print(f"  payments-pipeline {words:12} {why}", markup=False)
    console.print("Without keys, over a simulated world: payments-pipeline demo, payments-pipeline dev")
    return 0
