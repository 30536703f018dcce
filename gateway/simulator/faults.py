"""Faults on demand: which rule fits a request, and how often it still may."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.simulator.errors import Envelope
from gateway.simulator.settings import Seconds, Span

FailureShape = Literal["status_only", "error_object", "error_text", "message"]
Digits = Annotated[str, Field(pattern=r"^\d+$")]
HttpError = Annotated[int, Field(ge=400, le=599)]


class Rule(BaseModel):
    """Whom a fault hits. A rule that fits first wins, in the order in which they were given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str | None = Field(
        default=None, description="Of the submit's key; of the task for a look"
    )
    prompt_contains: str | None = None
    probability: float = Field(default=1.0, gt=0, le=1)
    times: int | None = Field(default=None, ge=1, description="It fires at most so often")


class Submit(Rule):
    on: Literal["submit"]


class Look(Rule):
    on: Literal["look"]


class Either(Rule):
    on: Literal["submit", "look"]


class ErrorAnswer(Rule):
    """What it leaves open is as usual at the vendor that was asked."""

    status: HttpError | None = Field(
        default=None, description="Else the vendor's for the code, else 500"
    )
    code: Digits | None = Field(
        default=None, description="Else 500 at bigmodel, and the status at geekai"
    )
    message: str | None = Field(default=None, description="Else the vendor's words for the code")
    envelope: Envelope | Literal["html"] | None = Field(
        default=None,
        description="nested: {error: {code, message}}; flat: {code: number, message}; "
        "text: {error: message}; message: {message}; html: what a proxy might say",
    )


class Error(Either, ErrorAnswer):
    """Refused with this error, nothing accepted."""

    kind: Literal["error"]


class Delay(Either):
    """Waits, then as usual. Nothing is accepted if the client leaves before."""

    kind: Literal["delay"]
    seconds: Seconds


class Cut(Either):
    """Connection closed without an answer, nothing accepted."""

    kind: Literal["cut"]


class Hang(Either):
    """No answer, then the connection is cut; nothing accepted."""

    kind: Literal["hang"]
    seconds: Seconds


class Redirect(Either):
    """A redirect, nothing accepted."""

    kind: Literal["redirect"]
    status: Literal[301, 302, 303, 307, 308] = 307
    location: str = "https://redirected.invalid/"


class Drip(Either):
    """The usual answer, byte by byte over so many seconds."""

    kind: Literal["drip"]
    seconds: Seconds


class AnswerFault(Either):
    """`accepted` says whether the submit became a task all the same; a look has no such choice."""

    accepted: bool = False

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.accepted and self.on == "look":
            raise ValueError("only a submit can be accepted")
        return self


class Garbage(AnswerFault):
    """HTTP 200 with a page instead of JSON."""

    kind: Literal["garbage"]


class Truncated(AnswerFault):
    """The first half of an answer whose Content-Length promised the whole."""

    kind: Literal["truncated"]


class Huge(AnswerFault):
    """An answer followed by so many megabytes of blanks, still valid JSON."""

    kind: Literal["huge"]
    megabytes: int = Field(default=32, ge=1, le=1024)


class AcceptThenCut(Submit):
    """Accepted, and the connection closed without an answer."""

    kind: Literal["accept_then_cut"]


class AcceptThenError(Submit, ErrorAnswer):
    """Accepted, and an error for an answer."""

    kind: Literal["accept_then_error"]


class AcceptThenHang(Submit):
    """Accepted; no answer, then the connection is cut."""

    kind: Literal["accept_then_hang"]
    seconds: Seconds


class LateAccept(Submit):
    """Accepted only after so many seconds, even if the client has left by then."""

    kind: Literal["late_accept"]
    seconds: Seconds


class TaskFails(Submit):
    """Accepted as usual, and the task will end in FAIL, or failed in geekai's words."""

    kind: Literal["task_fails"]
    shape: FailureShape | None = Field(
        default=None,
        description="How a look tells the reason. Else status_only at bigmodel, which documents no "
        "field for it, and error_object at geekai, which does",
    )
    code: Digits = "1301"
    message: str = "系统检测到输入或生成内容可能包含不安全或敏感内容"


class TaskTakes(Submit):
    """Accepted as usual, and the task runs for so long."""

    kind: Literal["task_takes"]
    seconds: Span = Field(description="In place of the setting duration and the account's")


class UnknownStatus(Look):
    """A word that the documents do not know."""

    kind: Literal["unknown_status"]
    status: str = "QUEUEING"


AnyRule = Annotated[
    Error
    | Delay
    | Cut
    | Hang
    | Redirect
    | Drip
    | Garbage
    | Truncated
    | Huge
    | AcceptThenCut
    | AcceptThenError
    | AcceptThenHang
    | LateAccept
    | TaskFails
    | TaskTakes
    | UnknownStatus,
    Field(discriminator="kind"),
]


@dataclass
class Armed:
    """A rule and what is left of it."""

    rule: AnyRule
    fired: int = 0

    def fits(self, on: str, account: str, prompt: str) -> bool:
        rule = self.rule
        return (
            rule.on == on
            and (rule.times is None or self.fired < rule.times)
            and (rule.account is None or rule.account == account)
            and (rule.prompt_contains is None or rule.prompt_contains in prompt)
        )


class Faults:
    def __init__(self, dice: random.Random) -> None:
        self.armed: list[Armed] = []
        self._dice = dice

    def add(self, rules: Iterable[AnyRule]) -> None:
        self.armed += map(Armed, rules)

    def clear(self) -> None:
        self.armed = []

    def fire(self, on: Literal["submit", "look"], account: str, prompt: str) -> Armed | None:
        for armed in self.armed:
            if armed.fits(on, account, prompt) and self._dice.random() < armed.rule.probability:
                armed.fired += 1
                return armed
        return None
