"""Each SDK makes videos: change the URL and the key, nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.harness import Processes, Running, Vendor
from tests.sdk.clients import CLIENTS, IMAGE, OPENAI, TEAMS, ZHIPU, Client

Told = Callable[[Client], dict[str, Any]]

COMMON = {
    "model": "cogvideox-3",
    "quality": "quality",
    "with_audio": True,
    "size": "1920x1080",
    "fps": 30,
}
PHOTO = "https://img.iplaysoft.com/wp-content/uploads/2019/free-images/free_stock_photo.jpg"
FRAMES = [
    "https://gd-hbimg.huaban.com/ccee58d77afe8f5e17a572246b1994f7e027657fe9e6-qD66In_fw1200webp",
    "https://gd-hbimg.huaban.com/cc2601d568a72d18d90b2cc7f1065b16b2d693f7fa3f7-hDAwNq_fw1200webp",
]
PUBLISHED = {
    "text": COMMON | {"prompt": "A cat is playing with a ball."},
    "image": COMMON | {"prompt": "让画面动起来", "image_url": PHOTO},
    "first and last frame": COMMON | {"prompt": "让画面动起来", "image_url": FRAMES},
}
LINKS = ["https://img.example/first.jpg", "https://img.example/last.jpg"]
INLINE = "data:image/png;base64," + base64.b64encode(IMAGE.read_bytes()).decode()


@pytest.fixture(scope="module")
def vendor(shared: Processes) -> Vendor:
    return shared.simulator({"main": 100}, duration="0.5")


@pytest.fixture(scope="module")
def gateway(shared: Processes, vendor: Vendor) -> Running:
    # openai-python asks as often as the gateway tells it, and that depends on what is expected.
    expected = {"cogvideox-3": [0.5, 1]}
    settings = {"GATEWAY_TEAMS": TEAMS, "GATEWAY_EXPECTED_SECONDS": expected}
    return shared.gateway(vendor, {"main": 100}, **settings)


@pytest.fixture(scope="module")
def told(gateway: Running) -> Iterator[Told]:
    """What came of all that a client can do. They run beside one another: mostly they wait."""
    pool = ThreadPoolExecutor(3)
    running = {c: pool.submit(c.calls, gateway.url) for c in CLIENTS if c.installed}

    def result(client: Client) -> dict[str, Any]:
        client.require()
        return running[client].result()

    yield result
    pool.shutdown(cancel_futures=True)


def received(vendor: Vendor, task_id: str) -> dict[str, Any]:
    """What the vendor was sent for a task, but for the id that the gateway puts there."""
    bodies = {task["body"]["request_id"]: task["body"] for task in vendor.tasks()}
    return {k: v for k, v in bodies[f"{task_id}-1"].items() if k != "request_id"}


@pytest.mark.parametrize("client", ZHIPU, ids=str)
@pytest.mark.parametrize("example", PUBLISHED)
def test_the_published_examples_are_made_and_retrieved(
    vendor: Vendor, told: Told, client: Client, example: str
):
    calls = told(client)
    created = calls[f"create {example}"]
    assert created["id"].startswith("task_")
    assert created["model"] == "cogvideox-3"
    assert created["request_id"]
    assert created["task_status"] == "PROCESSING"
    assert calls[f"retrieve {example} at once"]["task_status"] in ("PROCESSING", "SUCCESS")
    ended = calls[f"retrieve {example} until it ends"]
    assert ended["task_status"] == "SUCCESS"
    video = ended["video_result"][0]
    assert httpx.get(video["url"]).content[4:8] == b"ftyp"
    assert httpx.get(video["cover_image_url"]).status_code == 200
    assert received(vendor, created["id"]) == PUBLISHED[example]


@pytest.mark.parametrize("client", ZHIPU, ids=str)
def test_zhipus_sdks_send_pictures_inline_and_fields_of_ours_beside_theirs(
    vendor: Vendor, told: Told, client: Client
):
    calls = told(client)
    inline = received(vendor, calls["create image inline"]["id"])
    assert inline == {"model": "cogvideox-3", "prompt": "动起来", "image_url": INLINE}
    everything = received(vendor, calls["create with everything"]["id"])
    assert everything == {
        "model": "cogvideox-3",
        "prompt": "A cat",
        "image_url": "https://img.example/x.png",
        "duration": 10,
        "user_id": "user-0001",
    }
    if client.sdk == "zai-sdk":
        assert calls["create by ZaiClient"]["id"].startswith("task_")


@pytest.mark.parametrize("client", ZHIPU, ids=str)
def test_a_token_signed_with_the_key_is_refused_in_readable_words(told: Told, client: Client):
    refused = told(client)["retrieve with a token"]
    assert (refused["raised"], refused["status"]) == ("APIAuthenticationError", 401)
    assert '"code":"1002"' in refused["message"]


@pytest.mark.parametrize("client", OPENAI, ids=str)
def test_text_becomes_a_video_object(vendor: Vendor, told: Told, client: Client):
    calls = told(client)
    video = calls["create text"]
    assert video["id"].startswith("task_")
    assert video["object"] == "video"
    assert video["status"] in ("queued", "in_progress")
    assert (video["seconds"], video["size"]) == ("5", "1920x1080")
    assert video["prompt"] == "A cat is playing with a ball."
    assert received(vendor, video["id"]) == {
        "model": "cogvideox-3",
        "prompt": "A cat is playing with a ball.",
        "size": "1920x1080",
        "duration": 5,
    }
    alone = received(vendor, calls["create from a prompt alone"]["id"])
    assert alone == {"model": "cogvideox-3", "prompt": "A cat is playing with a ball."}


@pytest.mark.parametrize("client", OPENAI, ids=str)
def test_a_picture_arrives_whichever_way_the_sdk_sends_it(
    vendor: Vendor, told: Told, client: Client
):
    calls = told(client)
    uploads = [name for name in calls if name.startswith("create image") and "link" not in name]
    assert len(uploads) == (2 if client.language == "node" else 3)
    for name in uploads:
        assert received(vendor, calls[name]["id"])["image_url"] == INLINE, name
    assert received(vendor, calls["create image by link"]["id"])["image_url"] == LINKS[0]


@pytest.mark.parametrize("client", OPENAI, ids=str)
def test_first_and_last_frame_and_the_vendors_fields_arrive(
    vendor: Vendor, told: Told, client: Client
):
    assert received(vendor, told(client)["create first and last frame"]["id"]) == {
        "model": "cogvideox-3",
        "prompt": "x",
        "image_url": LINKS,
        "quality": "quality",
        "with_audio": True,
        "fps": 60,
        "duration": 10,
        "watermark_enabled": False,
    }


@pytest.mark.parametrize("client", OPENAI, ids=str)
def test_polling_ends_with_a_completed_video(told: Told, client: Client):
    calls = told(client)
    polls = ["create and poll", "poll", "retrieve"]
    if client.language == "python":
        polls.append("poll at an interval")
    for name in polls:
        video = calls[name]
        assert (video["status"], video["progress"]) == ("completed", 100), name
        assert video["expires_at"] > video["completed_at"] >= video["created_at"]
        assert video["url"].startswith("http")


@pytest.mark.parametrize("client", OPENAI, ids=str)
def test_lists_page_through_all_videos_in_both_orders(told: Told, client: Client):
    calls = told(client)
    made = [
        call["id"] for name, call in calls.items() if name.startswith("create") and "id" in call
    ]
    newest_first = made[::-1]
    assert len(made) >= 7
    assert [video["id"] for video in calls["list"]["data"]] == newest_first
    assert calls["list"]["has_more"] is False
    assert calls["list all"]["ids"] == newest_first
    assert calls["list all, oldest first"]["ids"] == made
    page = calls["list from one on"]
    following = newest_first[newest_first.index(calls["create image"]["id"]) + 1 :]
    assert [video["id"] for video in page["data"]] == following[:2]
    assert page["has_more"] is (len(following) > 2)
    assert calls["models"]["ids"] == ["cogvideox-3"]


@pytest.mark.parametrize("client", OPENAI, ids=str)
def test_video_and_thumbnail_are_downloaded(told: Told, client: Client):
    calls = told(client)
    assert bytes.fromhex(calls["download"]["head"])[4:8] == b"ftyp"
    assert calls["download"]["bytes"] > 1000
    head = bytes.fromhex(calls["download thumbnail"]["head"])
    assert head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"RIFF"))


@pytest.mark.parametrize("client", OPENAI, ids=str)
def test_a_deleted_video_is_not_found_any_more(told: Told, client: Client):
    calls = told(client)
    deleted = calls["delete"]
    assert deleted["id"] == calls["create text"]["id"]
    assert (deleted["object"], deleted["deleted"]) == ("video.deleted", True)
    missing = calls["retrieve deleted"]
    assert (missing["raised"], missing["status"]) == ("NotFoundError", 404)
    assert missing["code"] == "not_found"


@pytest.mark.parametrize("client", OPENAI, ids=str)
def test_what_the_models_cannot_do_is_refused_as_not_supported(told: Told, client: Client):
    calls = told(client)
    asked = ["download spritesheet", "remix"]
    if client.sdk != "openai-2.2":  # it knows no others
        asked += ["edit", "extend", "create a character", "get a character"]
    for name in asked:
        refused = calls[name]
        assert (refused["raised"], refused["status"]) == ("BadRequestError", 400), name
        assert refused["code"] == "not_supported"
        assert refused["type"] == "invalid_request_error"
        assert refused["request_id"]


@pytest.mark.parametrize("client", OPENAI, ids=str)
def test_a_path_of_another_vendor_is_reached_through_the_generic_post(
    vendor: Vendor, told: Told, client: Client
):
    task = told(client)["post to generations"]
    assert task["task_status"] in ("pending", "running")
    assert received(vendor, task["task_id"])["image_url"] == LINKS[0]


def test_no_sdk_makes_the_vendor_see_nulls_or_fields_it_does_not_have(vendor: Vendor, told: Told):
    for client in CLIENTS:
        if client.installed:
            told(client)
    assert vendor.total()["nulls_received"] == 0
    assert vendor.total()["unknown_fields_received"] == 0
