"""Several cases at a time: each mostly waits, for a lease to run out or a process to start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.failpoints.cases import Case
from tests.failpoints.lanes import Lanes
from tests.failpoints.play import play

_AT_ONCE = 4

if os.environ.get("GATEWAY_TEST_FAILPOINTS") == "all":
    _AT_ONCE = 6  # for a few cases, so many rescuers would cost more than they save
else:
    collect_ignore = ["test_whole_pools.py"]


@pytest.fixture(scope="session")
def lanes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lanes]:
    with closing(Lanes(tmp_path_factory.mktemp("failpoints"))) as opened:
        yield opened


@pytest.fixture(scope="session")
def played(lanes: Lanes, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[None]]]:
    """All cases that this session asks for, under way; each test waits for its own."""

    def play_somewhere(case: Case) -> None:
        with lanes.borrowed() as lane:
            play(case, lane)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        cases = _cases_asked_for(request.session.items)
        yield {case.id: pool.submit(play_somewhere, case) for case in cases}
        pool.shutdown(cancel_futures=True)


def _cases_asked_for(items: list[pytest.Item]) -> list[Case]:
    asked = [getattr(item, "callspec", None) for item in items]
    found = [each.params.get("case") for each in asked if each is not None]
    return [case for case in found if isinstance(case, Case)]
