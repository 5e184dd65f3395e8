"""Stripe's error bodies (https://docs.stripe.com/api/errors, https://docs.stripe.com/error-codes).

Belongs here: wording and status of refusals. Does not belong here: when to refuse.
"""

from __future__ import annotations

from typing import Any

from payments_pipeline.sandbox.wire import Call, FailureKind, RefusalError, Reply, json_reply


def refuse(
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    kind: str = "invalid_request_error",
    **more: Any,
) -> RefusalError:
    """An error answer, to be raised; `more` are further members of the error, e.g. `payment_intent`."""
    error: dict[str, Any] = {"message": message, "type": kind}
    if code:
        error |= {"code": code, "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"}
    if param:
        error["param"] = param
    return RefusalError(json_reply(status, {"error": error | more}))


def not_found(noun: str, object_id: str, *, param: str, status: int = 404) -> RefusalError:
    """`resource_missing`: 404 for an object asked by id, 400 for a cursor."""
    return refuse(status, f"No such {noun}: '{object_id}'", code="resource_missing", param=param)


def unknown_url(call: Call) -> RefusalError:
    return refuse(
        404,
        f"Unrecognized request URL ({call.method}: {call.path}). Please see https://stripe.com/docs or we can help "
        "at https://support.stripe.com/.",
    )


def stripe_failure(kind: FailureKind, retry_after: float | None, request_id: str) -> Reply:
    """Failures that have nothing to do with the request itself."""
    headers = {"Request-Id": request_id}
    if retry_after is not None:
        headers["Retry-After"] = f"{retry_after:g}"
    match kind:
        case "rate_limited":
            headers["Stripe-Rate-Limited-Reason"] = "global-rate"
            refusal = refuse(429, "Request rate limit exceeded.", code="rate_limit")
        case "lock_timeout":
            headers["Stripe-Rate-Limited-Reason"] = "resource-specific"
            refusal = refuse(
                429,
                "This object cannot be accessed right now because another API request or Stripe process is "
                "currently accessing it. If you see this error intermittently, retry the request.",
                code="lock_timeout",
            )
        case "server_error":
            refusal = refuse(500, "An unknown error occurred", kind="api_error")
        case "unauthorized":
            refusal = refuse(401, "Invalid API Key provided: sk_test_********dbox")
        case "forbidden":
            refusal = refuse(
                403, "The provided key 'rk_test_********dbox' does not have the required permissions for this endpoint."
            )
    return Reply(refusal.reply.status, refusal.reply.body, headers)
