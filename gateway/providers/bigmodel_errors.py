"""What each error code of bigmodel.cn and z.ai means.

Codes: https://docs.bigmodel.cn/cn/api/api-code and https://docs.z.ai/api-reference/api-code.
Matched by code, never by text: the wording of several changed within a year. The HTTP status
alone says little; 429 is sent for "too many in flight" and for "no money" alike.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.providers.verdicts import (
    ACCOUNT,
    CALLER,
    CONCURRENCY,
    KEY,
    OVERLOAD,
    PERHAPS,
    RATE,
    Verdict,
    by_status,
)

BY_CODE: Mapping[str, Verdict] = {
    "500": PERHAPS,  # internal error
    "1000": KEY,  # authentication failed
    "1001": KEY,  # no Authorization header
    "1002": KEY,  # token invalid
    "1003": KEY,  # token expired
    "1004": KEY,  # token verification failed
    "1100": ACCOUNT,  # account read/write error
    "1110": ACCOUNT,  # account inactive
    "1111": ACCOUNT,  # account missing
    "1112": ACCOUNT,  # account locked
    "1113": ACCOUNT,  # in arrears, or the model is not on this plan
    "1120": ACCOUNT,  # account cannot be reached for now
    "1121": ACCOUNT,  # account locked for violations
    "1200": PERHAPS,  # call error, unspecified
    "1210": CALLER,  # wrong parameters
    "1211": CALLER,  # model does not exist
    "1212": CALLER,  # model does not support this way of calling
    "1213": CALLER,  # field not received
    "1214": CALLER,  # field invalid
    "1215": CALLER,  # fields exclude each other
    "1220": ACCOUNT,  # no permission for this API
    "1221": ACCOUNT,  # API offline
    "1222": ACCOUNT,  # API unknown
    "1230": PERHAPS,  # process error, unspecified
    "1231": PERHAPS,  # this request_id is known: an earlier attempt may have arrived
    "1234": PERHAPS,  # network error inside the vendor
    "1261": CALLER,  # prompt too long
    "1300": CALLER,  # blocked by policy
    "1301": CALLER,  # unsafe or sensitive content
    "1302": CONCURRENCY,  # too many in flight on this account
    "1303": RATE,  # called too often
    "1304": ACCOUNT,  # daily limit of this API
    "1305": OVERLOAD,  # model overloaded for everybody
    "1308": ACCOUNT,  # usage quota, until its reset
    "1309": ACCOUNT,  # plan expired
    "1310": ACCOUNT,  # weekly or monthly quota
    "1311": ACCOUNT,  # model not in the plan
    "1312": OVERLOAD,  # model busy, another one suggested
    "1313": ACCOUNT,  # fair-use throttle of the plan
    "1314": ACCOUNT,  # subscription expired
}


def verdict_on(status: int, code: str | None) -> Verdict:
    """The verdict on an HTTP answer that accepts nothing: by its code, else by its status."""
    if code is not None and code in BY_CODE:
        return BY_CODE[code]
    return by_status(status)
