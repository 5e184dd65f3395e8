"""The one tree of errors. Every error says what happened, where, and what to do; and whether a retry can help.

Belongs here: exception classes. Does not belong here: handling them, or anything that imports another layer.
"""

from __future__ import annotations


class PaymentsPipelineError(Exception):
    """Base of every error this project raises on purpose.

    Args:
        what: one sentence, what went wrong, without secrets.
        where: the system, call or object concerned, e.g. ``stripe GET /v1/refunds page 3``.
        remedy: what the reader should do about it.

    Attributes:
        status: HTTP status of the answer that says so; None: there was no answer, or it was none of HTTP's.
    """

    status: int | None = None

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        place = f" [{self.where}]" if self.where else ""
        remedy = f" What to do: {self.remedy}" if self.remedy else ""
        return f"{self.what}{place}{remedy}"


class TransientError(PaymentsPipelineError):
    """The same call may succeed later: time-outs, 429, 5xx, a cut connection, a restarting database.

    Args:
        retry_after: seconds the other side asked us to wait, when it said so.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "", retry_after: float | None = None) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.retry_after = retry_after


class PermanentError(PaymentsPipelineError):
    """Repeating the call changes nothing: somebody must change something first."""


class ConfigurationError(PermanentError):
    """A setting is missing, malformed or contradicts another."""


class CredentialsError(PermanentError):
    """The other side refused our key, token or password (401, 403)."""


class WrongAccountError(PermanentError):
    """The provider answered for another account or mode (live or test) than the one configured."""


class SchemaError(PermanentError):
    """The database does not look as the code expects: not migrated, or the contract views do not fit."""


class ReportError(PermanentError):
    """A report file is malformed: front matter missing, key columns absent, or the SQL does not parse."""


class MalformedObjectError(PermanentError):
    """One provider object can't be read; it is set aside and the rest goes on."""


class ResponseError(PermanentError):
    """The provider answered something that is not its API: invalid JSON, a missing list, an unknown 4xx."""


class NotFoundError(ResponseError):
    """The server does not have the object or path asked for (404); whether the object is gone is not said.

    Attributes:
        words: the server's own message, redacted; empty: none that could be read.
    """

    words: str = ""


class GoneError(NotFoundError):
    """The provider says in its own words that it does not have the object asked for."""


class FeedGapError(PermanentError):
    """A provider's change feed does not go back as far as asked: changes were missed, only listing again finds them."""


class PreconditionError(PermanentError):
    """A repair was refused because the world is not as it was when the repair was planned."""


class UnclearOutcomeError(TransientError):
    """A call that changes something may or may not have taken effect; read the object before anything else."""


class ChannelGoneError(PermanentError):
    """A notification channel refuses everything, e.g. its webhook was deleted; other messages would fare no better."""


class MessageGoneError(PermanentError):
    """The message that should be edited is not there any more."""
