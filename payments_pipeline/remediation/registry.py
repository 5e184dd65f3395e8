"""Which kinds of repair there are. A new kind is one module and one line here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from payments_pipeline.remediation.activate_by_hand import ActivateByHand
from payments_pipeline.remediation.activate_subscription import ActivateSubscription
from payments_pipeline.remediation.capture_payment import CapturePayment
from payments_pipeline.remediation.confirm_crypto_payment import ConfirmCryptoPayment
from payments_pipeline.remediation.expire_payment import ExpirePayment
from payments_pipeline.remediation.findings_by_hand import ResolveFinding, SnoozeFinding
from payments_pipeline.remediation.kinds import ActionKind, ProviderKind
from payments_pipeline.remediation.refund_payment import RefundPayment
from payments_pipeline.remediation.release_authorization import ReleaseAuthorization
from payments_pipeline.remediation.retry_payout import RetryPayout
from payments_pipeline.remediation.revoke_access import RevokeAccess
from payments_pipeline.remediation.sync_payment_status import SyncPaymentStatus

_ALL: tuple[ActionKind, ...] = (
    ActivateSubscription(),
    ActivateByHand(),
    SyncPaymentStatus(),
    CapturePayment(),
    ReleaseAuthorization(),
    RefundPayment(),
    RetryPayout(),
    ConfirmCryptoPayment(),
    ExpirePayment(),
    RevokeAccess(),
    ResolveFinding(),
    SnoozeFinding(),
)
KINDS: Mapping[str, ActionKind] = {kind.name: kind for kind in _ALL}

MONEY_KINDS = frozenset(name for name, kind in KINDS.items() if isinstance(kind, ProviderKind) and kind.moves_money)
"""Repairs by which money changes hands: taken, given back, paid out again."""

OTHER_KINDS: Sequence[str] = sorted(KINDS.keys() - MONEY_KINDS)
"""All others."""
