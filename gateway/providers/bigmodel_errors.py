"""What each error code of bigmodel.cn and z.ai means for the task, its slot and the account.

Codes: https://docs.bigmodel.cn/cn/api/api-code and https://docs.z.ai/api-reference/api-code.
Matched by code, never by text: the wording of several changed within a year. The HTTP status
alone says little; 429 is sent for "too many in flight" and for "no money" alike.
"""

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


_CALLER = Verdict(ends=True, caller_at_fault=True)
_ENDS = Verdict(ends=True)
_KEY = Verdict(rest=Rest.KEY)
_ACCOUNT = Verdict(rest=Rest.ACCOUNT)
_CONCURRENCY = Verdict(rest=Rest.CONCURRENCY)
_OVERLOAD = Verdict(rest=Rest.OVERLOAD)
_PERHAPS = Verdict(surely_not_accepted=False)

BY_CODE: Mapping[str, Verdict] = {
    "500": _PERHAPS,  # internal error
    "1000": _KEY,  # authentication failed
    "1001": _KEY,  # no Authorization header
    "1002": _KEY,  # token invalid
    "1003": _KEY,  # token expired
    "1004": _KEY,  # token verification failed
    "1100": _ACCOUNT,  # account read/write error
    "1110": _ACCOUNT,  # account inactive
    "1111": _ACCOUNT,  # account missing
    "1112": _ACCOUNT,  # account locked
    "1113": _ACCOUNT,  # in arrears, or the model is not on this plan
    "1120": _ACCOUNT,  # account cannot be reached for now
    "1121": _ACCOUNT,  # account locked for violations
    "1200": _PERHAPS,  # call error, unspecified
    "1210": _CALLER,  # wrong parameters
    "1211": _CALLER,  # model does not exist
    "1212": _CALLER,  # model does not support this way of calling
    "1213": _CALLER,  # field not received
    "1214": _CALLER,  # field invalid
    "1215": _CALLER,  # fields exclude each other
    "1220": _ACCOUNT,  # no permission for this API
    "1221": _ACCOUNT,  # API offline
    "1222": _ACCOUNT,  # API unknown
    "1230": _PERHAPS,  # process error, unspecified
    "1231": _PERHAPS,  # this request_id is known: an earlier attempt may have arrived
    "1234": _PERHAPS,  # network error inside the vendor
    "1261": _CALLER,  # prompt too long
    "1300": _CALLER,  # blocked by policy
    "1301": _CALLER,  # unsafe or sensitive content
    "1302": _CONCURRENCY,  # too many in flight on this account
    "1303": _CONCURRENCY,  # called too often
    "1304": _ACCOUNT,  # daily limit of this API
    "1305": _OVERLOAD,  # model overloaded for everybody
    "1308": _ACCOUNT,  # usage quota, until its reset
    "1309": _ACCOUNT,  # plan expired
    "1310": _ACCOUNT,  # weekly or monthly quota
    "1311": _ACCOUNT,  # model not in the plan
    "1312": _OVERLOAD,  # model busy, another one suggested
    "1313": _ACCOUNT,  # fair-use throttle of the plan
    "1314": _ACCOUNT,  # subscription expired
}

# For codes that the vendor adds one day, or none at all. A server's error says nothing about
# what happened to the request before it; neither does a timeout or a conflict.
BY_STATUS: Mapping[int, Verdict] = {
    400: _CALLER,
    401: _KEY,
    402: _ACCOUNT,
    403: _ACCOUNT,
    404: _ACCOUNT,  # the path: this account's base_url is wrong
    405: _ACCOUNT,
    408: _PERHAPS,
    409: _PERHAPS,
    413: _CALLER,
    415: _CALLER,
    422: _CALLER,
    425: _PERHAPS,
    429: _CONCURRENCY,
    434: _ACCOUNT,  # no permission for a beta API
    435: _CALLER,  # a file over 100 MB
}


def verdict_on(status: int, code: str | None) -> Verdict:
    """The verdict on an HTTP answer that accepts nothing: by its code, else by its status."""
    if code is not None and code in BY_CODE:
        return BY_CODE[code]
    if status in BY_STATUS:
        return BY_STATUS[status]
    if 300 <= status < 400:  # redirects are not followed: this account's base_url is wrong
        return _ACCOUNT
    return _ENDS if 400 <= status < 500 else _PERHAPS
