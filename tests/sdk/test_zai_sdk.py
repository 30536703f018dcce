"""zai-sdk, unmodified, in an environment of its own: change `base_url`, nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import TEAM_KEY, Processes, Running, Vendor

HERE = Path(__file__).parent
PYTHON = HERE.parent.parent / ".venv-sdk" / "zai-sdk" / "bin" / "python"
PREFIXES = ["/api/paas/v4", "/v1"]

COMMON = {
    "model": "cogvideox-3",
    "quality": "quality",
    "with_audio": True,
    "size": "1920x1080",
    "fps": 30,
}
FRAMES = [
    "https://gd-hbimg.huaban.com/ccee58d77afe8f5e17a572246b1994f7e027657fe9e6-qD66In_fw1200webp",
    "https://gd-hbimg.huaban.com/cc2601d568a72d18d90b2cc7f1065b16b2d693f7fa3f7-hDAwNq_fw1200webp",
]
PHOTO = "https://img.iplaysoft.com/wp-content/uploads/2019/free-images/free_stock_photo.jpg"
SENT = [
    COMMON | {"prompt": "A cat is playing with a ball."},
    COMMON | {"prompt": "让画面动起来", "image_url": PHOTO},
    COMMON | {"prompt": "让画面动起来", "image_url": FRAMES},
]


@pytest.fixture(scope="module")
def running(shared: Processes) -> tuple[Vendor, Running]:
    assert PYTHON.exists(), "make .venv-sdk/zai-sdk/.ready sets it up (make test does)"
    vendor = shared.simulator({"main": 5}, duration="0.5")
    return vendor, shared.gateway(vendor, {"main": 5})


def run(script: str, running: Running, prefix: str) -> Any:
    done = subprocess.run(
        [PYTHON, HERE / script, f"{running.url}{prefix}", TEAM_KEY],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_three_published_examples_are_made_and_retrieved(
    running: tuple[Vendor, Running], prefix: str
):
    vendor, gateway = running
    vendor.settle_and_forget()
    told = run("zai_examples.py", gateway, prefix)
    assert [example["status"] for example in told] == ["SUCCESS"] * 3
    for example in told:
        assert example["created"]["id"].startswith("task_")
        assert example["created"]["model"] == "cogvideox-3"
        assert example["created"]["request_id"]
        assert example["status_at_once"] in ("PROCESSING", "SUCCESS")
        assert httpx.get(example["url"]).content[4:8] == b"ftyp"
        assert httpx.get(example["cover"]).status_code == 200


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_vendor_receives_what_the_sdk_sent_and_no_nulls(
    running: tuple[Vendor, Running], prefix: str
):
    vendor, gateway = running
    vendor.settle_and_forget()
    told = run("zai_examples.py", gateway, prefix)
    received = [task["body"] for task in vendor.tasks()]
    request_ids = [body.pop("request_id") for body in received]
    assert received == SENT
    assert request_ids == [f"{example['created']['id']}-1" for example in told]
    assert vendor.total()["nulls_received"] == 0
    assert vendor.total()["unknown_fields_received"] == 0


@pytest.mark.parametrize("prefix", PREFIXES)
def test_refusals_become_the_sdks_own_exceptions_with_our_words(
    running: tuple[Vendor, Running], prefix: str
):
    told = run("zai_refusals.py", running[1], prefix)
    assert told["wrong size"][:2] == ["APIRequestFailedError", 400]
    assert "1214" in told["wrong size"][2]
    assert "1920x1080" in told["wrong size"][2]
    assert told["wrong key"][:2] == ["APIAuthenticationError", 401]
    assert told["no such task"][:2] == ["APIStatusError", 404]
