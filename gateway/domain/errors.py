"""Every error that a caller can get. The edge alone turns one into a body, in the caller's words.

Two are not in the tree: a head that is too large is answered before there is a request
(http_head.py, 431), and whatever else was raised is a fault of ours (500).

GatewayError
├── InvalidRequest                 400, the caller's own fault, with the field where there is one
│   ├── MalformedBody              not JSON, or not an object
│   ├── MissingField
│   ├── InvalidField
│   ├── ConflictingFields
│   ├── PromptTooLong
│   ├── UnknownModel
│   ├── NotSupported               none of our models can do that
│   └── RefusedByProvider          the vendor found what we could not judge; keeps the vendor's code
├── AuthenticationFailed           401
│   ├── MissingApiKey
│   └── ExpiredApiKey
├── BudgetExceeded                 402, a team or a key has spent what it may
├── PermissionDenied               403
│   ├── Blocked                    the team or the key was blocked by an operator
│   └── NotAllowed                 neither key nor role may do that
├── NotFound                       404, the same for another team's task and for none
├── MethodNotAllowed               405
├── Conflict                       409, what an operator wants does not fit what there is now
├── TaskEnded                      409, too late to cancel it
├── NotCompleted                   409, there is no video (yet, or at all)
├── ResultExpired                  410, the vendor serves the video no longer
├── BodyTooLarge                   413
├── IdempotencyKeyReused           422, the key belongs to another request
├── TooManySubmits                 429, a team or a key may do only so many a minute
├── NotQueued                      429, no slot is free
│   ├── QueueFull                  and no more may wait
│   └── NoFreeSlot                 and the caller does not want to wait
├── ContentUnavailable             502, the vendor's file server does not serve the video just now
├── NoAccount                      503, no account is configured that could ever serve this
└── StoreUnavailable               503, nothing is admitted without the store
    └── AdmissionUnanswered        the task may be there all the same
"""

from __future__ import annotations

from typing import ClassVar


class GatewayError(Exception):
    """Something that a caller is told.

    `code` is a word of ours, or what the vendor called it; `param` names the field;
    `retry_after_seconds` says when asking again may help (at most 60: some SDKs wait whatever they
    are told).
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"
    code: str = "internal_error"
    retry_after_seconds: int | None = None
    safe_to_repeat: bool = True
    """Whether an SDK may send the same again by itself."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidRequest(GatewayError):
    """The request is wrong; asking again unchanged would be refused again."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class MalformedBody(InvalidRequest):
    code = "malformed_body"


class MissingField(InvalidRequest):
    code = "missing_field"


class InvalidField(InvalidRequest):
    code = "invalid_field"


class ConflictingFields(InvalidRequest):
    code = "conflicting_fields"


class PromptTooLong(InvalidRequest):
    code = "prompt_too_long"


class UnknownModel(InvalidRequest):
    code = "model_not_found"


class NotSupported(InvalidRequest):
    code = "not_supported"


class RefusedByProvider(InvalidRequest):
    """The vendor refused what the caller asked for; `code` is the vendor's."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class AuthenticationFailed(GatewayError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class MissingApiKey(AuthenticationFailed):
    code = "missing_api_key"


class ExpiredApiKey(AuthenticationFailed):
    code = "expired_api_key"


class BudgetExceeded(GatewayError):
    """No SDK tries a 402 again by itself, as many do with a 429; and nothing but an operator, or
    the next day or month, can help."""

    status = 402
    type = "insufficient_quota"
    code = "budget_exceeded"
    safe_to_repeat = False


class PermissionDenied(GatewayError):
    status = 403
    type = "permission_error"
    code = "permission_denied"


class Blocked(PermissionDenied):
    code = "blocked"


class NotAllowed(PermissionDenied):
    code = "not_allowed"


class NotFound(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "not_found"


class MethodNotAllowed(GatewayError):
    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class BodyTooLarge(GatewayError):
    status = 413
    type = "invalid_request_error"
    code = "body_too_large"


class Conflict(GatewayError):
    """What an operator wants does not fit what there is: look at it, and say it anew."""

    status = 409
    type = "invalid_request_error"
    code = "conflict"
    safe_to_repeat = False


class TaskEnded(GatewayError):
    status = 409
    type = "invalid_request_error"
    code = "task_ended"
    safe_to_repeat = False


class NotCompleted(GatewayError):
    status = 409
    type = "invalid_request_error"
    code = "not_completed"
    safe_to_repeat = False


class ResultExpired(GatewayError):
    status = 410
    type = "invalid_request_error"
    code = "result_expired"


class ContentUnavailable(GatewayError):
    status = 502
    code = "content_unavailable"
    retry_after_seconds = 5


class IdempotencyKeyReused(GatewayError):
    status = 422
    type = "invalid_request_error"
    code = "idempotency_key_reused"


class TooManySubmits(GatewayError):
    """Nothing was made. Unlike a full queue this is over soon: an SDK may well try again."""

    status = 429
    type = "rate_limit_error"
    code = "too_many_submits"

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class NotQueued(GatewayError):
    """Nothing was made. An SDK that tries again at once would only be refused again."""

    status = 429
    type = "rate_limit_error"
    safe_to_repeat = False

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class QueueFull(NotQueued):
    code = "queue_full"


class NoFreeSlot(NotQueued):
    code = "no_free_slot"


class NoAccount(GatewayError):
    """Somebody must change the settings first: an SDK that tries again only keeps its caller."""

    status = 503
    code = "no_account"
    retry_after_seconds = 60
    safe_to_repeat = False


class StoreUnavailable(GatewayError):
    status = 503
    code = "store_unavailable"
    retry_after_seconds = 2


class AdmissionUnanswered(StoreUnavailable):
    """The store may have taken the task in before it fell silent: repeated blindly, it could be
    made and paid for twice."""

    safe_to_repeat = False
