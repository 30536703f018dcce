"""The table of the vendor's refusals: no hole, and no verdict that could pay for a video twice."""

from __future__ import annotations

import pytest

from gateway.domain.provider_answers import Lost, Refused, Rest
from gateway.providers.bigmodel_errors import BY_CODE, verdict_on

# Every code of https://docs.bigmodel.cn/cn/api/api-code and docs.z.ai's page, as of autumn 2026.
DOCUMENTED = {
    *("500", "1100", "1120", "1121", "1200", "1230", "1231", "1234", "1261", "1300", "1308"),
    *(str(code) for code in (*range(1000, 1005), *range(1110, 1114), *range(1210, 1216))),
    *(str(code) for code in (*range(1220, 1223), *range(1301, 1306), *range(1309, 1315))),
}


def test_every_documented_code_has_a_verdict():
    assert set(BY_CODE) == DOCUMENTED


@pytest.mark.parametrize("code", [None, "1999", "abc"])
def test_every_other_answer_has_one_by_its_status(code: str | None):
    lost = {
        status
        for status in range(200, 600)
        if isinstance(verdict_on(status, code).answer(code or "", "words"), Lost)
    }
    # A server's error says nothing of what happened before it; nor does an answer that is none.
    assert lost == {*range(200, 300), 408, 409, 425, *range(500, 600)}


@pytest.mark.parametrize("code", ["500", "1200", "1230", "1231", "1234"])
def test_what_may_have_been_accepted_is_never_sent_again(code: str):
    assert isinstance(verdict_on(500, code).answer(code, "words"), Lost)


@pytest.mark.parametrize(
    "code", ["1210", "1211", "1212", "1213", "1214", "1215", "1261", "1300", "1301"]
)
def test_the_callers_own_fault_ends_the_task_and_leaves_the_account_alone(code: str):
    answer = verdict_on(400, code).answer(code, "words")
    assert isinstance(answer, Refused)
    assert answer.error is not None
    assert answer.error.caller_at_fault
    assert answer.error.code == code
    assert answer.rest is None


@pytest.mark.parametrize(
    ("status", "code", "rest"),
    [
        (429, "1302", Rest.CONCURRENCY),
        (429, "1303", Rest.RATE),
        (429, "1305", Rest.OVERLOAD),
        (429, "1312", Rest.OVERLOAD),
        (429, "1113", Rest.ACCOUNT),
        (401, "1113", Rest.ACCOUNT),
        (401, "1002", Rest.KEY),
        (401, None, Rest.KEY),
        (429, None, Rest.CONCURRENCY),
        (307, None, Rest.ACCOUNT),
        (404, None, Rest.ACCOUNT),
    ],
)
def test_the_code_decides_what_rests_and_the_task_waits(status: int, code: str, rest: Rest):
    answer = verdict_on(status, code).answer(code or "", "words")
    assert isinstance(answer, Refused)
    assert answer.rest is rest
    assert answer.error is None
