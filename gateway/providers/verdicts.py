"""What a vendor's refusal means for the task, its slot and the account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.domain.provider_answers import Lost, Refused, Rest, SubmitAnswer
from gateway.domain.task import TaskError


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a refusal means. The slot follows from it: kept where the vendor may have the task.

    | accepted?  | the task                     | the slot     |
    | ---------- | ---------------------------- | ------------ |
    | surely not | `ends`: failed, else queued  | free at once |
    | perhaps    | unknown, never sent again    | long hold    |
    """

    surely_not_accepted: bool = True
    ends: bool = False
    """Asking again would be refused again."""
    caller_at_fault: bool = False
    """The caller gets an HTTP 400 with the vendor's code; the account is not to blame."""
    rest: Rest | None = None

    def answer(self, code: str, message: str) -> SubmitAnswer:
        """The verdict on one refusal, as an answer to the submit."""
        reason = f"{code}: {message}"
        if not self.surely_not_accepted:
            return Lost(reason)
        error = (
            TaskError(code=code, message=message, caller_at_fault=self.caller_at_fault)
            if self.ends
            else None
        )
        return Refused(reason, self.rest, error)


CALLER = Verdict(ends=True, caller_at_fault=True)
ENDS = Verdict(ends=True)
KEY = Verdict(rest=Rest.KEY)
ACCOUNT = Verdict(rest=Rest.ACCOUNT)
CONCURRENCY = Verdict(rest=Rest.CONCURRENCY)
RATE = Verdict(rest=Rest.RATE)
OVERLOAD = Verdict(rest=Rest.OVERLOAD)
PERHAPS = Verdict(surely_not_accepted=False)

# What a status alone says, for vendors without codes and for codes that nobody knows yet. An error
# of a server says nothing about what happened to the request before it; neither does a timeout or
# a conflict.
BY_STATUS: Mapping[int, Verdict] = {
    400: CALLER,
    401: KEY,
    402: ACCOUNT,
    403: ACCOUNT,
    404: ACCOUNT,  # the path: this account's base_url is wrong
    405: ACCOUNT,
    408: PERHAPS,
    409: PERHAPS,
    413: CALLER,
    415: CALLER,
    422: CALLER,
    425: PERHAPS,
    429: CONCURRENCY,
    434: ACCOUNT,  # no permission for a beta API
    435: CALLER,  # a file over 100 MB
}


def by_status(status: int) -> Verdict:
    """The verdict on an HTTP answer that accepts nothing."""
    if status in BY_STATUS:
        return BY_STATUS[status]
    if 300 <= status < 400:  # redirects are not followed: this account's base_url is wrong
        return ACCOUNT
    return ENDS if 400 <= status < 500 else PERHAPS
