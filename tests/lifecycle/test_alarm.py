"""What an operator is told, once each, of accounts and keys that are refused."""

from __future__ import annotations

import pytest

from gateway.domain.account import Account, ApiKey
from gateway.domain.provider_answers import Rest
from gateway.lifecycle.alarm import Alarm

ONE, TWO = ApiKey("one.secret"), ApiKey("two.secret")
MAIN = Account(
    name="main", provider="bigmodel", base_url="http://v.example", limit=1, api_keys=(ONE, TWO)
)
ARREARS, LOCKED, REFUSED = "1113: in arrears", "1112: locked", "1002: no such key"


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture):
    return lambda: [record.getMessage() for record in caplog.records]


def test_a_cause_is_told_once_with_the_way_back(told):
    alarm = Alarm()
    for _ in range(3):
        alarm.refused(MAIN, ONE, Rest.ACCOUNT, ARREARS)
    (line,) = told()
    assert ARREARS in line
    assert "gateway accounts resume main" in line


def test_another_cause_is_news(told):
    alarm = Alarm()
    alarm.refused(MAIN, ONE, Rest.ACCOUNT, ARREARS)
    alarm.refused(MAIN, ONE, Rest.ACCOUNT, LOCKED)
    assert [LOCKED in line for line in told()] == [False, True]


def test_what_goes_on_after_a_success_or_a_change_is_news(told):
    alarm = Alarm()
    alarm.refused(MAIN, ONE, Rest.ACCOUNT, ARREARS)
    alarm.accepted(MAIN, ONE)
    alarm.refused(MAIN, ONE, Rest.ACCOUNT, ARREARS)
    alarm.forget()
    alarm.refused(MAIN, ONE, Rest.ACCOUNT, ARREARS)
    assert len(told()) == 3


def test_the_last_key_is_told_to_be_the_last(told):
    alarm = Alarm()
    alarm.refused(MAIN, ONE, Rest.KEY, REFUSED)
    alarm.refused(MAIN, TWO, Rest.KEY, REFUSED)
    first, last = told()
    assert "1 more may go on" in first
    assert "it has none that works any more" in last
    assert "secret" not in first + last


def test_what_passes_by_itself_is_not_told(told):
    for rest in Rest:
        if rest not in (Rest.ACCOUNT, Rest.KEY):
            Alarm().refused(MAIN, ONE, rest, "1302: busy")
    assert told() == []


def test_an_account_that_only_others_know_is_told(told):
    alarm = Alarm()
    for _ in range(2):
        alarm.unknown("theirs")
    (line,) = told()
    assert "theirs is not known to this process" in line
