"""Every error that leaves the core. Doors map classes, never texts.

TwitError
├── Refused              the request stands against a rule; repeating it will not help
│   ├── Invalid              a value out of its limits, or one that does not parse   422  exit 2
│   │   └── BadCursor            a cursor we did not make, or for another list       422  exit 2
│   ├── Unauthorized         who are you?                                            401  exit 3
│   ├── Forbidden            we know who you are, and no                             403  exit 3
│   ├── NotFound             absent, or not for your eyes: never told apart          404  exit 3
│   │   └── Gone                 what this very request made is there no more          410  exit 3
│   ├── Conflict             another state of the world already holds                409  exit 3
│   ├── RateLimited          come back after `retry_after_s`                         429  exit 3
│   └── Unsupported          this context cannot do that; says which can             501  exit 3
├── StoreError           the request may be right; a store did not carry it          503  exit 5
│   ├── StoreDown            refused, gone, or locked past its bound
│   ├── StoreTimeout         no answer in time; the write may or may not stand
│   ├── StoreFull            no space, or read-only: nothing was written
│   ├── StoreCorrupt         bytes that cannot be what we wrote, or a schema from elsewhere
│   └── Superseded           another has taken over what this was done for: not recorded
├── Overloaded           shed at the gateway, `retry_after_s`                        503  exit 5
├── Mismatch             the answer is no: a check or a threshold failed                  exit 4
└── Stopped              interrupted with a checkpoint; resumable                         exit 75
"""

from __future__ import annotations


class TwitError(Exception):
    """What happened (`str(error)`), what it means (`meaning`), what to do (`try_`), and a stable `code`."""

    code = "ERROR"
    http_status = 500
    exit_code = 1

    def __init__(self, what: str, *, meaning: str = "", try_: str = "", code: str | None = None) -> None:
        super().__init__(what)
        self.meaning = meaning
        self.try_ = try_
        if code is not None:
            self.code = code


class Refused(TwitError):
    """The request stands against a rule; repeating it will not help."""

    code = "REFUSED"
    http_status = 403
    exit_code = 3


class Invalid(Refused):
    """A value out of its limits or one that does not parse; `field` names it."""

    code = "INVALID"
    http_status = 422
    exit_code = 2

    def __init__(self, what: str, *, field: str = "", meaning: str = "", try_: str = "", code: str | None = None) -> None:
        super().__init__(what, meaning=meaning, try_=try_, code=code)
        self.field = field


class BadCursor(Invalid):
    """A cursor that we did not make, or that belongs to another list."""

    code = "BAD_CURSOR"


class Unauthorized(Refused):
    """No credentials, or ones that do not hold."""

    code = "UNAUTHORIZED"
    http_status = 401


class Forbidden(Refused):
    """Known and not allowed."""

    code = "FORBIDDEN"


class NotFound(Refused):
    """Absent, or not for this viewer: the two are never told apart."""

    code = "NOT_FOUND"
    http_status = 404


class Gone(NotFound):
    """A repeated request whose first time was carried out, and whose outcome was taken back since: it is not made again."""

    code = "GONE"
    http_status = 410


class Conflict(Refused):
    """Another state already holds: a name taken, an idempotency key used with another body."""

    code = "CONFLICT"
    http_status = 409


class RateLimited(Refused):
    """Too many; `retry_after_s` says when one more is allowed."""

    code = "RATE_LIMITED"
    http_status = 429

    def __init__(self, what: str, *, retry_after_s: int, limit: int = 0, reset_s: int = 0) -> None:
        super().__init__(what, try_=f"again in {retry_after_s} s")
        self.retry_after_s = retry_after_s
        self.limit = limit
        self.reset_s = reset_s


class Unsupported(Refused):
    """This context cannot do that; `try_` says which can."""

    code = "UNSUPPORTED"
    http_status = 501


class StoreError(TwitError):
    """A store did not carry the request; `retry_after_s` is a guess for clients."""

    code = "STORE_ERROR"
    http_status = 503
    exit_code = 5
    retry_after_s = 1


class StoreDown(StoreError):
    """Refused, gone, or locked past its bound."""

    code = "STORE_DOWN"


class StoreTimeout(StoreError):
    """No answer in time; a write may or may not stand."""

    code = "STORE_TIMEOUT"


class StoreFull(StoreError):
    """No space left, or the files are read-only: nothing was written."""

    code = "STORE_FULL"


class StoreCorrupt(StoreError):
    """Bytes that cannot be what we wrote, or a schema version that this build does not know."""

    code = "STORE_CORRUPT"


class Superseded(StoreError):
    """Another has taken over what this was done for; nothing of it was recorded."""

    code = "SUPERSEDED"


class Overloaded(TwitError):
    """Shed before work began."""

    code = "OVERLOADED"
    http_status = 503
    exit_code = 5
    retry_after_s = 1


class Mismatch(TwitError):
    """The answer is no: a check failed or a threshold was passed."""

    code = "MISMATCH"
    exit_code = 4


class Stopped(TwitError):
    """Interrupted after a checkpoint; `try_` holds the command that resumes."""

    code = "STOPPED"
    exit_code = 75
