"""The files behind a result's links."""

import pytest

from gateway.simulator.accounts import Account, VendorName
from gateway.simulator.media import links
from gateway.simulator.settings import Settings
from gateway.simulator.state import Simulator
from gateway.simulator.tasks import Order

from .conftest import MODEL, Driver, GeekaiDriver

MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff", "webp": b"RIFF"}
MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}


def boxes(mp4: bytes) -> list[str]:
    """The names of a file's top-level boxes."""
    names, place = [], 0
    while place < len(mp4):
        names.append(mp4[place + 4 : place + 8].decode())
        place += int.from_bytes(mp4[place : place + 4])
    assert place == len(mp4)
    return names


def size_of(mp4: bytes) -> tuple[int, int]:
    """Width and height from the end of the track header, in fixed point."""
    start = mp4.index(b"tkhd")
    end = start - 4 + int.from_bytes(mp4[start - 4 : start])
    return int.from_bytes(mp4[end - 8 : end - 6]), int.from_bytes(mp4[end - 4 : end - 2])


def video_url(simulator: Driver, **fields: str) -> str:
    return str(simulator.finished(**fields)["video_result"][0]["url"])


def test_a_video_is_an_mp4_that_plays_while_it_loads(simulator: Driver) -> None:
    response = simulator.http.get(video_url(simulator))
    assert response.headers["content-type"] == "video/mp4"
    names = boxes(response.content)
    assert names[0] == "ftyp"
    assert names.index("moov") < names.index("mdat")


@pytest.mark.parametrize(
    ("size", "expected"),
    [("1920x1080", (640, 360)), ("1080x1920", (360, 640)), ("1024x1024", (480, 480))],
)
def test_a_video_has_the_orientation_that_was_asked_for(
    simulator: Driver, size: str, expected: tuple[int, int]
) -> None:
    assert size_of(simulator.http.get(video_url(simulator, size=size)).content) == expected


def test_covers_come_in_three_formats_in_turn(simulator: Driver) -> None:
    seen = set()
    for _ in MAGIC:
        url = simulator.finished()["video_result"][0]["cover_image_url"]
        ending = url.partition("?")[0].rpartition(".")[2]
        response = simulator.http.get(url)
        assert response.content.startswith(MAGIC[ending])
        assert response.headers["content-type"] == MEDIA_TYPES[ending]
        seen.add(ending)
    assert seen == set(MAGIC)


def test_the_format_of_covers_can_be_fixed(simulator: Driver) -> None:
    simulator.settings(cover_format="webp")
    urls = [simulator.finished()["video_result"][0]["cover_image_url"] for _ in range(2)]
    assert all(".webp?" in url for url in urls)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-3", 0, 3), ("bytes=100-", 100, None), ("bytes=-5", -5, None)],
)
def test_a_range_gets_that_part_alone(
    simulator: Driver, asked: str, first: int, last: int | None
) -> None:
    url = video_url(simulator)
    whole = simulator.http.get(url).content
    response = simulator.http.get(url, headers={"Range": asked})
    start = first % len(whole)
    end = len(whole) - 1 if last is None else last
    assert response.status_code == 206
    assert response.content == whole[start : end + 1]
    assert response.headers["content-range"] == f"bytes {start}-{end}/{len(whole)}"
    assert response.headers["content-length"] == str(end + 1 - start)


def test_a_range_past_the_end_is_refused_with_the_length(simulator: Driver) -> None:
    url = video_url(simulator)
    length = simulator.http.head(url).headers["content-length"]
    response = simulator.http.get(url, headers={"Range": f"bytes={length}-"})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{length}"


def test_head_tells_length_and_type_without_a_body(simulator: Driver) -> None:
    url = video_url(simulator)
    response = simulator.http.head(url)
    assert response.content == b""
    assert response.headers["content-length"] == str(len(simulator.http.get(url).content))
    assert response.headers["accept-ranges"] == "bytes"


def test_links_carry_the_time_at_which_they_die_and_then_are_refused(simulator: Driver) -> None:
    alive = video_url(simulator)
    simulator.settings(url_lifetime_seconds=0)
    dead = video_url(simulator)
    assert simulator.http.get(alive).status_code == 200
    assert simulator.http.get(dead).status_code == 403
    assert simulator.http.get(alive.partition("?")[0]).status_code == 403


def test_links_live_for_a_day_from_the_end_of_the_task(simulator: Driver) -> None:
    url = video_url(simulator)
    (task,) = simulator.tasks()
    assert int(url.partition("?Expires=")[2]) == int(task["ends_at"] + 24 * 3600)


def test_links_of_geekai_live_for_a_week_or_as_long_as_its_own_setting_says(
    geekai: GeekaiDriver,
) -> None:
    geekai.settings(url_lifetime_seconds=0)
    alive = video_url(geekai)
    (task,) = geekai.tasks()
    assert int(alive.partition("?Expires=")[2]) == int(task["ends_at"] + 7 * 24 * 3600)
    geekai.settings(geekai_url_lifetime_seconds=0)
    dead = video_url(geekai)
    assert geekai.http.get(alive).status_code == 200
    assert geekai.http.get(dead).status_code == 403


@pytest.mark.parametrize("vendor", ["bigmodel", "geekai"])
@pytest.mark.parametrize(
    ("resign", "expected"),
    [(False, [160, 160, 160]), (True, [180, 200, 200])],
)
def test_a_later_look_keeps_the_first_expires_or_signs_the_links_anew(
    vendor: VendorName, resign: bool, expected: list[int]
) -> None:
    clock = [0.0]
    account = Account(name="a", vendor=vendor, limit=1, api_keys=["k"])
    settings = Settings(
        resign_links=resign, url_lifetime_seconds=150, geekai_url_lifetime_seconds=150
    )
    simulator = Simulator([account], settings, clock=lambda: clock[0])
    start = simulator.epoch(0)
    task = simulator.vendor.accept(Order(account, "k", MODEL, {"prompt": "a cat"}), 0, 10, None)
    seen = []
    for clock[0] in (30.0, 50.0, 50.0):
        url = str(links(simulator, task, "http://videos.example")["url"])
        seen.append(int(url.partition("?Expires=")[2]) - int(start))
    assert seen == expected


@pytest.mark.parametrize("vendor", ["bigmodel", "geekai"])
def test_a_link_that_died_comes_alive_again_only_where_looks_sign_anew(
    simulator: Driver, geekai: GeekaiDriver, vendor: str
) -> None:
    client = geekai if vendor == "geekai" else simulator

    def look() -> str:
        (task,) = client.tasks()
        key = "gee-a" if client is geekai else "one-a"
        return str(client.look(task["id"], key).json()["video_result"][0]["url"])

    client.settings(url_lifetime_seconds=0, geekai_url_lifetime_seconds=0)
    dead = video_url(client)
    client.settings(url_lifetime_seconds=60, geekai_url_lifetime_seconds=60)
    assert look() == dead
    assert client.http.get(dead).status_code == 403
    client.settings(resign_links=True)
    assert client.http.get(look()).status_code == 200


def test_nothing_is_served_for_tasks_that_have_no_video(simulator: Driver) -> None:
    running = simulator.accepted()
    simulator.fault(on="submit", kind="task_fails")
    failed = simulator.accepted()
    simulator.end(ids=[failed])
    for task in (running, failed, "123"):
        assert simulator.http.get(f"/media/{task}.mp4?Expires=9999999999").status_code == 404


def test_links_lead_to_the_host_that_was_asked_or_to_the_public_url(simulator: Driver) -> None:
    simulator.http.headers["Host"] = "videos.example:8080"
    try:
        assert video_url(simulator).startswith("http://videos.example:8080/media/")
        simulator.settings(public_url="https://cdn.example/base/")
        assert video_url(simulator).startswith("https://cdn.example/base/media/")
    finally:
        del simulator.http.headers["Host"]
