"""Which kinds of repair there are. A new kind is one module and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from payments_pipeline.remediation.activate_subscription import ActivateSubscription
from payments_pipeline.remediation.capture_payment import CapturePayment
from payments_pipeline.remediation.kinds import ActionKind
from payments_pipeline.remediation.release_authorization import ReleaseAuthorization

KINDS: Mapping[str, ActionKind] = {
    kind.name: kind for kind in (ActivateSubscription(), CapturePayment(), ReleaseAuthorization())
}
