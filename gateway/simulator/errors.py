"""Why a request is refused. Each vendor has words of its own for that."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

Envelope = Literal["nested", "flat", "text", "message"]


class Reason(Enum):
    NO_KEY = auto()
    NOT_BEARER = auto()
    UNKNOWN_KEY = auto()
    ARREARS = auto()
    BODY_TOO_LARGE = auto()
    NOT_JSON = auto()
    NULL = auto()
    UNKNOWN_FIELD = auto()
    MISSING_FIELD = auto()
    INVALID_FIELD = auto()
    UNKNOWN_MODEL = auto()
    PROMPT_TOO_LONG = auto()
    REPEATED_REQUEST_ID = auto()
    OVER_LIMIT = auto()
    NO_SUCH_TASK = auto()
    NO_SUCH_PATH = auto()


class VendorError(Exception):
    """A refusal. `detail` is for whoever reads a log: clients must go by status and code alone."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason.name} {detail}")

    def worded(self, words: str) -> str:
        return f"{words} ({self.detail})" if self.detail else words


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal in one vendor's words."""

    status: int
    code: str
    message: str
