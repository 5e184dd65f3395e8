"""Who acts, and why: names as people mean them, so that nobody is two people by an extra space. Pure.

Belongs here: reading names and reasons. Does not belong here: who may do what (remediation/oversight.py). Letters of
other scripts that only look alike stay different, as do two names that one person was given.
"""

from __future__ import annotations

import unicodedata

from payments_pipeline.errors import PermanentError

POLICY = "policy"
"""Under this name the project acts by itself; no person does."""
RESERVED = frozenset(
    {POLICY, "system", "default", "nobody", "dagster", "daemon", "sensor", "schedule", "payments-pipeline",
     "payments_pipeline"}
)  # fmt: skip
"""Names that stand in tables and runs for the project, its defaults or its machinery."""


def tidy(name: str) -> str:
    """A name as it is stored: compatible forms made one (NFKC), nothing invisible, single blanks, its own case."""
    plain = unicodedata.normalize("NFKC", name)
    seen = "".join(letter for letter in plain if unicodedata.category(letter) not in {"Cf", "Cs"})
    return " ".join(unicodedata.normalize("NFKC", seen).replace("\x00", " ").split())


def same(name: str) -> str:
    """What two spellings of one name have in common: ``same("STRAUSS") == same(" Strauß")``."""
    return tidy(tidy(name).casefold())


def named(actor: str) -> str:
    """The name of whoever acts, tidied.

    Raises:
        PermanentError: nobody is named.
    """
    if not (name := tidy(actor)):
        raise PermanentError("Nobody is named as the actor.", where="actor", remedy="Pass the name of who does it.")
    return name


def person(actor: str) -> str:
    """As `named`, of a person.

    Raises:
        PermanentError: nobody is named, or the name is the project's own.
    """
    name = named(actor)
    if is_reserved(name):
        raise PermanentError(
            f"{name} is what the project calls itself.", where="actor", remedy="Pass the name of who does it."
        )
    return name


def is_reserved(name: str) -> bool:
    """Whether it is nobody's own name, however it is written."""
    return same(name) in RESERVED


def given(reason: str, where: str) -> str:
    """Why, without outer blanks.

    Raises:
        PermanentError: no reason is given; names `where`.
    """
    if not tidy(reason):
        raise PermanentError("It needs a reason.", where=where, remedy="Say why.")
    return reason.strip()
