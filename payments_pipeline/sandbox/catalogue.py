"""The failure catalogue: every line by its name, with what it means. The one list that faults and scores go by.

Belongs here: the lines of docs and labels. Does not belong here: how a line is planted (faults/). A line that is not
here yet is told by the fault that plants it (`what` in faults/registry.py).
"""

from __future__ import annotations

LINES: dict[str, str] = {
    "E1": "paid, webhook never came, user inactive",
    "E2": "paid, webhook came and failed",
    "E3": "paid, signature refused",
    "E4": "processed, activation lost",
    "E5": "active, but on another tier than bought last",
    "E6": "renewal paid and not extended",
    "E7": "refunded, charged back, or a refund that failed: access given or taken wrongly",
    "E8": "a partial refund keeps access",
    "E9": "active without any payment",
    "E10": "paid twice for one period",
    "E11": "checkout complete, but unpaid",
    "E12": "unknown price or plan",
    "E13": "one customer id on two users",
    "E14": "paid seconds ago",
    "E15": "subscription ended meanwhile, payment old",
    "S1": "application succeeded, provider still holds",
    "S2": "provider succeeded, application pending",
    "S3": "amounts differ",
    "S4": "currencies differ",
    "S5": "payment of the application without a provider's object",
    "S6": "provider's object without a payment of the application",
    "S7": "object changed after the cursor passed its creation",
    "S8": "two events in one second, out of order",
    "S9": "unknown status",
    "S10": "another product's charges on the same account",
    "S12": "zero- and three-decimal currencies, net against gross",
    "H1": "hold near its deadline",
    "H2": "hold older than seven days",
    "H3": "hold expired uncaptured, money lost",
    "H4": "no-show: hold still open, to be released",
    "H5": "service delivered, hold open, to be captured",
    "H6": "partial capture",
    "H7": "extended hold of thirty days on day nine",
    "P1": "delivered booking without payment",
    "P2": "failed payout with error",
    "P3": "payout paid, later failed",
    "P4": "slow payout corridor",
    "P5": "parts of a payout do not add up to its total",
    "P6": "batch paid, one item unclaimed or returned",
    "C1": "short within tolerance",
    "C2": "short beyond tolerance",
    "C3": "overpaid",
    "C4": "late, after expiry",
    "C5": "split over two deposits",
    "C6": "two payments that one deposit could match",
    "C7": "one deposit never settles two payments",
    "C8": "wrong asset or network",
    "C9": "memo or tag missing",
    "C10": "not final yet, frozen or refused",
    "C11": "deposit without a payment",
    "C12": "repeated child that reads finished, and came short",
    "C13": "price moved between quote and deposit",
    "C14": "internal transfer",
    "W1": "provider sent, inbox never saw",
    "W2": "delivered twice",
    "W3": "delivered out of order",
    "W4": "invalid signatures",
    "W5": "stuck in processing",
    "W6": "no webhooks at all while payments went on",
}
# S11 (a test-mode object among live rows) and the lines M are about reading, not about what is read: the tests of
# ingestion, repair and delivery hold them.


def place(line: str) -> tuple[int, str, int]:
    """Sort key: known lines in the catalogue's order, others by name behind them."""
    known = list(LINES)
    return (known.index(line), "", 0) if line in LINES else (len(known), line, 0)
