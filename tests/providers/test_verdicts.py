"""What a status alone says: no hole in the table, and no video that is paid for twice."""

from __future__ import annotations

import pytest

from gateway.domain.provider_answers import Lost, Refused, Rest
from gateway.providers.verdicts import (
    ACCOUNT,
    BY_STATUS,
    CALLER,
    CONCURRENCY,
    KEY,
    PERHAPS,
    Verdict,
    by_status,
)

# Every status of https://docs.geekai.co/en/docs/error_codes.
DOCUMENTED = {
    400: CALLER,
    401: KEY,
    402: ACCOUNT,
    403: ACCOUNT,
    404: ACCOUNT,
    413: CALLER,
    429: CONCURRENCY,
    500: PERHAPS,
    503: PERHAPS,
    504: PERHAPS,
}


@pytest.mark.parametrize(("status", "verdict"), DOCUMENTED.items())
def test_every_documented_status_has_its_verdict(status: int, verdict: Verdict):
    assert by_status(status) is verdict
    # Said, and not only what is left for those that nobody thought of.
    assert status in BY_STATUS or status >= 500


@pytest.mark.parametrize("status", [200, 201, 202, 204, 408, 409, 425, 500, 502, 503, 504, 599])
def test_a_status_that_leaves_it_open_is_never_sent_again(status: int):
    assert by_status(status).answer("code", "words") == Lost("code: words")


def test_a_refusal_either_ends_the_task_or_rests_what_is_to_blame():
    for status in range(300, 500):
        answer = by_status(status).answer("code", "words")
        if isinstance(answer, Lost):
            assert status in (408, 409, 425)
        else:
            assert isinstance(answer, Refused)
            assert (answer.error is None) is (answer.rest is not None), status


@pytest.mark.parametrize("status", [301, 302, 307, 308, 404, 405])
def test_a_wrong_address_is_the_accounts_fault(status: int):
    answer = by_status(status).answer("code", "words")
    assert isinstance(answer, Refused)
    assert answer.rest is Rest.ACCOUNT


@pytest.mark.parametrize("status", [406, 411, 418, 451, 499])
def test_a_refusal_that_nobody_knows_ends_the_task_and_blames_nobody(status: int):
    answer = by_status(status).answer("code", "words")
    assert isinstance(answer, Refused)
    assert answer.error is not None
    assert not answer.error.caller_at_fault
