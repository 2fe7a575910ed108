"""Every failure the gateway speaks of, as one tree.

    GatewayError
    ├── RequestError                the caller can mend it; origin "gateway"
    │   ├── InvalidRequest          400  invalid_request
    │   │   ├── InvalidJSON         400  invalid_json
    │   │   └── Unsupported         400  unsupported_field   (a crossing that would change the meaning)
    │   │       └── Incapable       400  model_cannot        (the catalogue says that the model cannot)
    │   ├── Unauthenticated         401  invalid_api_key
    │   │   ├── KeyExpired          401  key_expired
    │   │   └── KeyDisabled         401  key_disabled
    │   ├── Forbidden               403  model_not_allowed
    │   │   ├── OperationForbidden  403  operation_not_allowed
    │   │   └── AddressForbidden    403  address_not_allowed
    │   ├── RequirementUnmet        403  requirement_not_met
    │   │   └── ClauseViolated      403  clause_violated     (by `clauses` of the configuration)
    │   ├── UnknownModel            404  model_not_found
    │   ├── UnknownPath             404  unknown_path
    │   ├── UnknownRequest          404  unknown_request     (of which something is said: not this key's)
    │   ├── MethodNotAllowed        405  method_not_allowed
    │   ├── PriceUnknown            403  price_unknown       (under a limit of money)
    │   ├── LimitExceeded           429  limit_exceeded      (402, 422 as configured; budget_exceeded: of money)
    │   ├── SlowRequest             408  request_timeout
    │   ├── TooLarge                413  request_too_large
    │   ├── UnsupportedMedia        415  unsupported_media_type
    │   ├── HeadersTooLarge         431  headers_too_large
    │   ├── Blocked                 400  blocked_by_guard    (or as the policy has it)
    │   └── NotCached               504  not_cached          (`cache-control: only-if-cached`)
    ├── Overloaded                  503  gateway_overloaded   (retry-after is set)
    │   ├── NoTarget                503  no_target            (all that could be asked are out of order)
    │   ├── GuardUnavailable        503  guard_unavailable    (what has to look at it cannot)
    │   └── IdentityUnavailable     503  identity_unavailable (who could say who asks does not answer)
    ├── InternalError               500  internal_error
    └── ProviderError               origin "provider"
        ├── ProviderRefused         the provider's own status and body
        ├── ProviderUnreachable     502  provider_unreachable
        ├── ProviderTimeout         504  provider_timeout
        ├── ProviderCut             502  provider_cut         (the reply ended before its end)
        ├── NoCredentials           502  provider_credentials (nothing proves to the provider who we are)
        └── ProviderNonsense        502  provider_bad_reply   (not what the API promises)

Every error has a stable `code` (a section of docs/reference/errors.md), a `message` that says how to mend it,
and an `origin`. Foreign exceptions become one of these where they arise: in `upstream` (sockets, TLS, HTTP),
in `dialects` (JSON), in `server` (everything unforeseen becomes InternalError).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

Origin = Literal["gateway", "provider"]


class GatewayError(Exception):
    """A failure with everything a client and a record need to know about it."""

    status: int = 500
    code: str = "internal_error"
    origin: Origin = "gateway"
    retryable: bool = False

    def __init__(self, message: str, *, param: str | None = None, retry_after: float | None = None) -> None:
        """`message` says what is wrong and how to mend it; `param` names the field; `retry_after` is in seconds."""
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after


class RequestError(GatewayError):
    """The request cannot be served as it is; the caller can mend it."""

    status = 400
    code = "invalid_request"


class InvalidRequest(RequestError):
    """A field is missing, of the wrong type or out of range."""


class InvalidJSON(InvalidRequest):
    """The body is not the JSON it should be."""

    code = "invalid_json"


def too_deep() -> InvalidJSON:
    """For JSON that a parser still took, and whose depth is too much for what is made of it."""
    return InvalidJSON("the JSON is nested too deeply")


class Unsupported(InvalidRequest):
    """The provider's dialect cannot say what the request asks, and leaving it out would change its meaning."""

    code = "unsupported_field"


class Incapable(Unsupported):
    """The catalogue says that the model does not serve what the request holds; the message names models that do."""

    code = "model_cannot"
    too_long = False
    """What it does not serve is a prompt of this length."""


class Unauthenticated(RequestError):
    """No key, or not one of ours."""

    status = 401
    code = "invalid_api_key"


class KeyExpired(Unauthenticated):
    """The key was one of ours, until a moment that is past."""

    code = "key_expired"


class KeyDisabled(Unauthenticated):
    """The key, or somebody whose it is, is let in no more."""

    code = "key_disabled"


class RequirementUnmet(RequestError):
    """The key or the request requires of whoever answers what no target of the model has."""

    status = 403
    code = "requirement_not_met"


class ClauseViolated(RequirementUnmet):
    """A clause of the configuration forbids it."""

    code = "clause_violated"


class Forbidden(RequestError):
    """The key is known but may not use this model, or another that the request names."""

    status = 403
    code = "model_not_allowed"


class OperationForbidden(Forbidden):
    """The key may not ask for this, or not at this path."""

    code = "operation_not_allowed"


class AddressForbidden(Forbidden):
    """No request may come from this address, or none with this key."""

    code = "address_not_allowed"


class UnknownModel(RequestError):
    """No alias and no provider/model of that name."""

    status = 404
    code = "model_not_found"


class UnknownPath(RequestError):
    """Nothing is served at this path."""

    status = 404
    code = "unknown_path"


class UnknownRequest(RequestError):
    """Something is said of a request that this key has not made, or that is not known any more."""

    status = 404
    code = "unknown_request"


class MethodNotAllowed(RequestError):
    """The path is served, but not with this method."""

    status = 405
    code = "method_not_allowed"


class PriceUnknown(RequestError):
    """A limit of money cannot be kept with a model whose price is not known."""

    status = 403
    code = "price_unknown"


class LimitExceeded(RequestError):
    """A limit has no room for the request; the message names it, what is left and when there is more."""

    status = 429
    code = "limit_exceeded"
    limit = ""
    """The limit's name."""
    queue = False
    """Of an attempt at a target: it may be waited for, where nobody else is left."""


class SlowRequest(RequestError):
    """The request took too long to arrive."""

    status = 408
    code = "request_timeout"


class TooLarge(RequestError):
    """The body is larger than the gateway accepts."""

    status = 413
    code = "request_too_large"


class UnsupportedMedia(RequestError):
    """A content type or content encoding the gateway does not read."""

    status = 415
    code = "unsupported_media_type"


class HeadersTooLarge(RequestError):
    """The request's head is larger than the gateway accepts."""

    status = 431
    code = "headers_too_large"


class NotCached(RequestError):
    """Only an answer that is kept was wanted, and there is none (RFC 9111, 5.2.1.7)."""

    status = 504
    code = "not_cached"


class Blocked(RequestError):
    """A policy does not let through what was asked or answered; the message names the policy and the category."""

    code = "blocked_by_guard"


class Overloaded(GatewayError):
    """The gateway is at its limit, or on its way down."""

    status = 503
    code = "gateway_overloaded"


class NoTarget(Overloaded):
    """All targets that could be asked have failed so often that they are left alone for a while."""

    code = "no_target"


class IdentityUnavailable(Overloaded):
    """Whoever vouches for the caller (an identity provider, a directory) cannot be asked: nothing is known against what
    was presented, and nothing for it."""

    code = "identity_unavailable"


class GuardUnavailable(Overloaded):
    """A guard without whose word nothing is let through has failed, or took too long."""

    code = "guard_unavailable"


class InternalError(GatewayError):
    """A fault of the gateway's own; the cause is in its log under the request's id."""


class ProviderError(GatewayError):
    """The provider failed or refused."""

    status = 502
    code = "provider_error"
    origin = "provider"
    retryable = True


class ProviderRefused(ProviderError):
    """The provider answered with an error of its own.

    `body` is the provider's body as it came (secrets taken out), `content_type` its type, `dialect` what it is in,
    `kind` the provider's own error type where that dialect could read one, `headers` those of the reply that may go
    on to a client. `retryable` follows the status: 408, 409, 429 and 5xx are.
    """

    code = "provider_refused"
    RETRYABLE: ClassVar[frozenset[int]] = frozenset({408, 409, 429})

    def __init__(
        self,
        message: str,
        *,
        status: int,
        body: bytes = b"",
        content_type: bytes = b"application/json",
        kind: str | None = None,
        param: str | None = None,
        vendor_code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, param=param, retry_after=retry_after)
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers: Sequence[tuple[bytes, bytes]] = ()
        self.dialect: object = None
        self.kind = kind
        self.vendor_code = vendor_code
        self.retryable = status in self.RETRYABLE or status >= 500


class ProviderUnreachable(ProviderError):
    """No connection: name, network, TLS or proxy."""

    code = "provider_unreachable"


class ProviderTimeout(ProviderError):
    """The provider took longer than a timeout allows."""

    status = 504
    code = "provider_timeout"


class ProviderCut(ProviderError):
    """The connection or the stream ended before the reply did."""

    code = "provider_cut"


class NoCredentials(ProviderError):
    """Nothing proves to the provider who we are: its keys or tokens are not there, or could not be renewed."""

    code = "provider_credentials"


class ProviderNonsense(ProviderError):
    """What came is not a reply of the API: HTML, an empty body, broken JSON, too much of it."""

    code = "provider_bad_reply"
