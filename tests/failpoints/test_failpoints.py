"""A process fails at one exact place, and nothing is lost, doubled or left behind."""

from __future__ import annotations

import os
from concurrent.futures import Future

import pytest

from tests.failpoints.cases import CASES, IN_EVERY_RUN, Case

ALL = os.environ.get("GATEWAY_TEST_FAILPOINTS") == "all"
ASKED = [case for case in CASES if ALL or case.id in IN_EVERY_RUN]


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case.id)
def test_all_is_well_in_the_end(case: Case, played: dict[str, Future[None]]):
    try:
        played[case.id].result()
    except AssertionError as error:
        # Where in this suite it was found out says nothing; what the processes did says all.
        pytest.fail("\n".join([str(error), *getattr(error, "__notes__", [])]), pytrace=False)
