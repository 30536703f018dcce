"""The table of cases has no gap: every crash point, every call to the store, every step."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import gateway
from gateway.providers.http import open_provider_http
from tests.failpoints.blows import STRIKES
from tests.failpoints.cases import CASES, EXCLUDED_CALLS, EXCLUDED_STEPS, IN_EVERY_RUN
from tests.failpoints.crash_points import CRASH_POINTS
from tests.failpoints.lanes import Lanes

PACKAGE = Path(gateway.__file__).parent
IDS = [case.id for case in CASES]


def test_no_two_cases_are_the_same_and_there_are_enough():
    assert len(set(IDS)) == len(IDS) >= 150
    assert set(IDS) >= IN_EVERY_RUN
    assert 18 <= len(IN_EVERY_RUN) <= 24


@pytest.mark.parametrize("number", CRASH_POINTS)
def test_every_crash_point_is_covered(number: int):
    point = CRASH_POINTS[number]
    assert point.cases or point.tests
    for pattern in point.cases:
        assert any(fnmatchcase(case, pattern) for case in IDS), pattern
    assert set(point.tests) <= _tests_of_their_own()


def _tests_of_their_own() -> set[str]:
    tree = ast.parse((Path(__file__).parent / "test_whole_pools.py").read_text())
    return {f.name for f in tree.body if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_crash_points_are_those_of_a_process_its_store_and_its_vendor():
    expected = {*range(1, 11), *range(12, 18), 20, 21, 24, 25, 26, 30}
    assert set(CRASH_POINTS) == expected


def test_every_call_to_the_store_fails_before_and_after_in_every_way():
    places = {(case.place, case.blow) for case in CASES}
    calls = _calls_to_the_store()
    assert not EXCLUDED_CALLS.keys() - calls, "excluded, and not there any more"
    for call in calls - EXCLUDED_CALLS.keys():
        missing = [
            f"{edge} {call}: {blow}"
            for edge in ("before", "after")
            for blow in STRIKES
            if (f"{edge} {call}", blow) not in places
        ]
        assert not missing


def _calls_to_the_store() -> set[str]:
    """The scripts by their files, the plain commands by the names that the adapters give them."""
    store = PACKAGE / "store"
    scripts = {path.stem for path in (store / "lua").glob("*.lua")} - {"pool", "lanes", "moves"}
    source = "\n".join(path.read_text() for path in store.glob("*.py"))
    plain = set(re.findall(r'\banswer\(\s*"(\w+)"', source))
    assert {"put_images", "get_task", "read_slots", "info"} <= plain
    return scripts | plain


@pytest.mark.parametrize("what", ["submit", "look"])
async def test_every_step_of_a_request_to_the_vendor_has_its_cases(what: str, lanes: Lanes):
    steps = await _steps_of_a_request(what, lanes)
    assert len(steps) == 12
    for step in steps - EXCLUDED_STEPS.keys():
        assert {case.blow for case in CASES if case.place == step} >= set(STRIKES), step


async def _steps_of_a_request(what: str, lanes: Lanes) -> set[str]:
    """As the HTTP library itself tells them, of one request that all goes well with."""
    steps: list[str] = []

    async def watch(step: str) -> None:
        steps.append(step)

    async def agree() -> None:
        """Nothing speaks against sending."""

    url = f"{lanes.vendor.url}/simulator/settings"
    async with open_provider_http(5, 1, watch) as http:
        await (http.submit(url, "key", {}, agree) if what == "submit" else http.look(url, "key"))
    return set(steps)


def test_the_product_does_not_know_that_it_can_be_made_to_fail():
    """One wrapper round the store and one round the vendors' HTTP, put there at the root alone."""
    knowing = {"failpoints.py", "bootstrap.py", "settings.py"}
    for path in PACKAGE.rglob("*.py"):
        if path.name not in knowing:
            assert "failpoint" not in path.read_text().lower(), path
