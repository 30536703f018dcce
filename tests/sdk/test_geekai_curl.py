"""geekai's published curl examples, pasted into a shell with another URL and another key."""

from __future__ import annotations

import shutil

import httpx
import pytest

from tests.harness import TEAM_KEY, Processes, Running
from tests.sdk import geekai

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")


@pytest.fixture(scope="module")
def gateway(shared: Processes) -> Running:
    return shared.gateway(shared.simulator({"main": 5}, duration="0.5"), {"main": 5})


@pytest.mark.parametrize("name", ["text", "image"])
def test_an_example_works_as_pasted_and_waits_for_its_video(gateway: Running, name: str):
    task = geekai.run(geekai.pasted(name, gateway.url, TEAM_KEY))
    assert task["task_status"] == "succeed"
    assert task["model"] == "cogvideox-3"
    assert httpx.get(task["video_result"][0]["url"]).content[4:8] == b"ftyp"


def test_the_malformed_example_is_told_where_its_json_breaks(gateway: Running):
    example = geekai.pasted("first-and-last-frame", gateway.url, TEAM_KEY)
    error = geekai.run(example)["error"]
    assert error["code"] == "1210"
    assert "line 5 column 5" in error["message"]


def test_the_malformed_example_works_once_its_commas_are_right(gateway: Running):
    example = geekai.pasted("first-and-last-frame", gateway.url, TEAM_KEY)
    mended = example.replace('cogvideo5.png" ]\n', 'cogvideo5.png" ],\n').replace("30,\n", "30\n")
    assert geekai.run(mended)["task_status"] == "succeed"


def test_the_key_in_single_quotes_is_answered_with_a_hint_at_the_quotes(gateway: Running):
    error = geekai.run(geekai.pasted("text", gateway.url, geekai.PUBLISHED_KEY))["error"]
    assert error["code"] == "1002"
    assert "double quotes" in error["message"]
