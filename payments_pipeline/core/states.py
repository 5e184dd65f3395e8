"""Canonical payment states. Which provider status means which state stands in `recon.state_map`, in one place."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The state of a payment, refund or deposit, whatever the provider calls it."""

    PENDING = "pending"
    PROCESSING = "processing"
    AUTHORIZED = "authorized"
    PAID = "paid"
    PARTIALLY_PAID = "partially_paid"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    FROZEN = "frozen"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How bad a finding is."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"
