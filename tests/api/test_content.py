"""The video itself: passed on from the vendor, by Range if you like, while the vendor keeps it."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from gateway.dialects import DIALECTS
from gateway.dialects.contract import Operation
from tests.harness import OTHER_KEY, Caller, Processes, Running, Vendor, wait_until

LIMIT = {"main": 20}
PUBLIC_URL = "https://videos.example/films"
RETRIEVE = [
    route.path
    for dialect in DIALECTS
    for route in dialect.routes
    if route.operation is Operation.RETRIEVE
]
NOWHERE = "http://127.0.0.1:9"
# In no buffer between a file server and a client is there room for so much.
LARGE = b"\0" * 2**24


class FileServer(ThreadingHTTPServer):
    """A vendor's file server with moods that the simulator's does not have."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Files)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.status = 200
        self.headers: list[tuple[str, str]] = [("Content-Type", "video/mp4")]
        self.content = b"a file"
        self.told_length: int | None = None
        self.dead: set[str] = set()
        self.asked: list[str] = []
        self.open = 0
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever leaves in the middle is what the tests are about."""

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Files(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        files = self.server
        with files.lock:
            files.asked.append(self.path)
            files.open += 1
        try:
            self.send_response_only(403 if self.path in files.dead else files.status)
            for name, value in files.headers:
                # As UTF-8, which is more than the base class would write.
                self.send_header(name, value.encode().decode("latin-1"))
            length = len(files.content) if files.told_length is None else files.told_length
            if length >= 0:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(files.content)
        finally:
            with files.lock:
                files.open -= 1

    def log_message(self, *_: object) -> None:
        """Not a word."""


@pytest.fixture(scope="module")
def simulator(shared: Processes) -> Vendor:
    return shared.simulator(LIMIT, duration="0.1")


@pytest.fixture(scope="module")
def running(shared: Processes, simulator: Vendor) -> Running:
    return shared.gateway(simulator, LIMIT)


@pytest.fixture(scope="module")
def replica(shared: Processes, simulator: Vendor, running: Running) -> Running:
    """It knows how clients reach it."""
    return shared.gateway(simulator, LIMIT, GATEWAY_PUBLIC_URL=f"{PUBLIC_URL}/")


@pytest.fixture
def vendor(simulator: Vendor) -> Iterator[Vendor]:
    usual = {"duration": 0.1, "url_lifetime_seconds": 3600, "resign_links": False}
    simulator.settings(**usual, public_url=None)
    simulator.end_all()
    simulator.no_faults()
    yield simulator
    simulator.settings(**usual, public_url=None)
    simulator.end_all()


@pytest.fixture
def films(running: Running) -> Iterator[Caller]:
    with closing(Caller(running.url)) as team:
        yield team


@pytest.fixture
def film(vendor: Vendor, films: Caller) -> str:
    """A video that is done."""
    return made(films)


@pytest.fixture
def files(vendor: Vendor) -> Iterator[FileServer]:
    """Where the links of the videos point to that are made from here on."""
    with closing(FileServer()) as server:
        vendor.settings(public_url=server.url)
        yield server


def made(team: Caller, **fields: Any) -> str:
    task_id = team.created(**fields)
    assert team.ended(task_id)["task_status"] == "SUCCESS"
    return task_id


def content(team: Caller, task_id: str, query: str = "", **headers: str) -> httpx.Response:
    return team.http.get(f"/v1/videos/{task_id}/content{query}", headers=headers)


def links(team: Caller, task_id: str) -> tuple[str, str]:
    video = team.task(task_id)["video_result"][0]
    return video["url"], video["cover_image_url"]


def refused(answer: httpx.Response, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    return str(error["message"])


def test_the_whole_file_is_what_the_vendor_has(films: Caller, film: str):
    original = httpx.get(links(films, film)[0])
    answer = content(films, film)
    assert answer.status_code == 200
    assert answer.content == original.content
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Content-Length"] == str(len(original.content))
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert f'"{film}.mp4"' in answer.headers["Content-Disposition"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]
    assert content(films, film, "?variant=video").content == original.content
    assert films.http.get(f"/videos/{film}/content").content == original.content


def test_a_range_of_it_is_that_range(films: Caller, film: str):
    whole = content(films, film).content
    size = len(whole)
    for asked, first, last in (
        ("bytes=4-7", 4, 7),
        ("bytes=0-0", 0, 0),
        ("bytes=100-", 100, size - 1),
        (f"bytes=10-{size * 2}", 10, size - 1),
        ("bytes=-5", size - 5, size - 1),
    ):
        answer = content(films, film, Range=asked)
        assert answer.status_code == 206, asked
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
        assert answer.content == whole[first : last + 1]
        assert answer.headers["Content-Length"] == str(len(answer.content))
        assert answer.headers["Content-Type"] == "video/mp4"


def test_a_range_beyond_it_is_416(films: Caller, film: str):
    size = len(content(films, film).content)
    answer = content(films, film, Range=f"bytes={size}-")
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] in (f"bytes */{size}", f"*/{size}")


def test_several_ranges_come_as_what_they_are_or_not_at_all(films: Caller, film: str):
    """Parts with boundaries between them are no video."""
    whole = content(films, film).content
    answer = content(films, film, Range="bytes=0-3,8-11")
    if answer.headers["Content-Type"] == "video/mp4":
        assert answer.content in (whole, whole[:4])
    else:
        assert answer.headers["Content-Type"].startswith("multipart/byteranges; boundary=")


@pytest.mark.parametrize("said", ["bytes=0-\xe9", "\xff\xfe", "bytes=a-b", "bytes=-", "x" * 9000])
def test_a_range_that_is_none_harms_nobody(films: Caller, film: str, said: str):
    answer = films.http.get(f"/v1/videos/{film}/content", headers={"Range": said.encode("latin-1")})
    assert answer.status_code in (200, 400, 416, 431), answer.text


def test_a_head_tells_what_a_get_would_bring(films: Caller, film: str):
    path = f"/v1/videos/{film}/content"
    for headers in ({}, {"Range": "bytes=0-9"}):
        get, head = (films.http.request(m, path, headers=headers) for m in ("GET", "HEAD"))
        assert head.status_code == get.status_code
        assert head.content == b""
        told = ("content-type", "content-length", "accept-ranges", "content-range", "etag")
        assert {n: head.headers.get(n) for n in told} == {n: get.headers.get(n) for n in told}


def test_a_head_of_a_file_of_unknown_length_tells_no_length(films: Caller, files: FileServer):
    files.told_length = -1
    head = films.http.head(f"/v1/videos/{made(films)}/content")
    assert head.status_code == 200
    assert "content-length" not in head.headers


def test_a_thumbnail_is_a_picture(films: Caller, vendor: Vendor):
    for name, kind in (("png", "image/png"), ("jpg", "image/jpeg"), ("webp", "image/webp")):
        vendor.settings(cover_format=name)
        task = made(films)
        answer = content(films, task, "?variant=thumbnail")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == kind
        assert answer.content == httpx.get(links(films, task)[1]).content
    vendor.settings(cover_format=None)


def test_other_variants_are_refused_by_name(films: Caller, film: str):
    none_here = content(films, film, "?variant=spritesheet")
    assert "spritesheet" in refused(none_here, 400, "not_supported")
    for variant in ("sound", "", "VIDEO", "../video"):
        answer = content(films, film, f"?variant={variant}")
        refused(answer, 400, "invalid_field")
        assert answer.json()["error"]["param"] == "variant"


def test_a_video_that_there_is_not_yet_or_never_will_be_is_409(films: Caller, vendor: Vendor):
    vendor.fault(on="submit", kind="task_fails", times=1)
    failed = films.created()
    films.ended(failed)
    vendor.settings(duration=3600)
    runs, cancelled = films.created(), films.created()
    films.http.post(f"/v1/videos/{cancelled}/cancel")
    for task in (failed, runs, cancelled):
        answer = content(films, task)
        refused(answer, 409, "not_completed")
        assert answer.headers["x-should-retry"] == "false"
    vendor.end_all()
    films.ended(runs)
    assert content(films, runs).status_code == 200
    # The vendor made it all the same, and its caller has heard that there is none.
    wait_until(lambda: not vendor.total()["ended_unseen"])
    refused(content(films, cancelled), 409, "not_completed")


def test_nobody_gets_what_is_not_theirs(films: Caller, running: Running, film: str):
    path = f"/v1/videos/{film}/content"
    with closing(Caller(running.url, OTHER_KEY)) as others:
        foreign, none = others.http.get(path), content(others, "task_" + secrets.token_hex(16))
        assert (foreign.status_code, none.status_code) == (404, 404)
        assert foreign.content == none.content
        told = [set(answer.headers) - {"x-request-id", "date"} for answer in (foreign, none)]
        assert told[0] == told[1]
    refused(httpx.get(f"{running.url}{path}"), 401, "missing_api_key")
    wrong = httpx.get(f"{running.url}{path}", headers={"Authorization": "Bearer sk-nobody"})
    refused(wrong, 401, "invalid_api_key")


def test_a_vendor_that_signs_links_anew_is_asked_once_a_link(
    films: Caller, vendor: Vendor, files: FileServer
):
    task = made(films)
    looks = vendor.total()["looks"]
    assert content(films, task).content == files.content
    assert vendor.total()["looks"] == looks  # the first link lives
    for times, lifetime in enumerate((7200, 10800), 1):
        # The next link is another one by its time, and this one is no longer served.
        files.dead = set(files.asked)
        vendor.settings(resign_links=True, url_lifetime_seconds=lifetime)
        for _ in range(3):
            assert content(films, task).content == files.content
        assert vendor.total()["looks"] == looks + times
    # Asked for, the task shows the link that lives.
    assert links(films, task)[0].removeprefix(files.url) == files.asked[-1]


def test_a_link_past_its_time_is_not_even_tried(
    films: Caller, replica: Running, vendor: Vendor, files: FileServer
):
    vendor.settings(url_lifetime_seconds=0)
    task = made(films)
    elsewhere = Caller(replica.url)
    assert elsewhere.ended(task)["task_status"] == "SUCCESS"  # it has a copy now
    looks = vendor.total()["looks"]
    vendor.settings(resign_links=True, url_lifetime_seconds=3600)
    for team in (films, elsewhere, films):
        assert content(team, task).content == files.content
        assert links(team, task)[0].startswith(files.url)
    assert vendor.total()["looks"] == looks + 1
    assert len(set(files.asked)) == 1
    elsewhere.close()


def test_a_vendor_that_signs_none_is_asked_once_however_many_want_it(
    films: Caller, replica: Running, vendor: Vendor
):
    vendor.settings(url_lifetime_seconds=0)
    task = made(films)
    looks = vendor.total()["looks"]
    vendor.settings(look_delay_seconds=0.2)
    teams = [films, Caller(replica.url)]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda i: content(teams[i % 2], task), range(10)))
    vendor.settings(look_delay_seconds=0)
    assert vendor.total()["looks"] == looks + 1
    assert {answer.status_code for answer in answers} <= {410, 502}
    assert 410 in {answer.status_code for answer in answers}
    for answer in answers:
        if answer.status_code == 502:
            assert "being asked" in refused(answer, 502, "content_unavailable")
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
    for i in range(10):
        assert "expired" in refused(content(teams[i % 2], task), 410, "result_expired")
    assert vendor.total()["looks"] == looks + 1
    teams[1].close()


def test_a_cover_that_is_gone_does_not_cost_the_video_its_next_link(
    films: Caller, vendor: Vendor, files: FileServer
):
    task = made(films)
    video, cover = (link.removeprefix(files.url) for link in links(films, task))
    files.dead = {cover}
    refused(content(films, task, "?variant=thumbnail"), 410, "result_expired")
    assert content(films, task).content == files.content
    files.dead = {cover, video}
    vendor.settings(resign_links=True, url_lifetime_seconds=7200)
    assert content(films, task).content == files.content


def test_a_vendor_that_has_forgotten_the_video_is_asked_once(films: Caller, vendor: Vendor):
    vendor.settings(url_lifetime_seconds=0)
    task = made(films)
    vendor.settle_and_forget()
    for _ in range(3):
        refused(content(films, task), 410, "result_expired")
    assert sum(vendor.total()["looks_refused"].values()) == 1


def test_nobody_is_shown_a_dead_link(films: Caller, replica: Running, vendor: Vendor):
    vendor.settings(url_lifetime_seconds=0)
    task = made(films)
    looks = vendor.total()["looks"]
    with closing(Caller(replica.url)) as elsewhere:
        for team, base in ((films, films.url), (elsewhere, PUBLIC_URL)):
            ours = f"{base}/v1/videos/{task}/content"
            for path in RETRIEVE:
                body = team.http.get(path.format(task_id=task)).json()
                video = body["video_result"][0] if "video_result" in body else body
                assert video["url"] == ours, path
                assert video.get("cover_image_url", f"{ours}?variant=thumbnail") == (
                    f"{ours}?variant=thumbnail"
                )
            listed = team.http.get("/v1/videos", params={"limit": 1}).json()["data"][0]
            assert (listed["id"], listed["url"]) == (task, ours)
    assert vendor.total()["looks"] == looks


def test_a_file_server_in_trouble_is_502_and_may_be_tried_again(
    films: Caller, vendor: Vendor, files: FileServer
):
    task = made(films)
    looks = vendor.total()["looks"]
    for status in (500, 503, 429):
        files.status = status
        answer = content(films, task)
        assert str(status) in refused(answer, 502, "content_unavailable")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert films.url not in answer.text and files.url not in answer.text
    files.status = 200
    assert content(films, task).content == files.content
    # It is the file server that was in trouble: nobody asked the vendor for other links.
    assert vendor.total()["looks"] == looks
    vendor.settings(public_url=NOWHERE)
    away = content(films, made(films))
    assert NOWHERE not in refused(away, 502, "content_unavailable")
    assert 1 <= int(away.headers["Retry-After"]) <= 60


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, [("Content-Type", "text/html")]),
        (200, [("Content-Type", "image/视频"), ("ETag", '"视频"')]),
        (200, [("Content-Type", 'image/png"; filename="x')]),
        (200, [("ETag", "\x85\xa0"), ("Last-Modified", "昨天")]),
        (302, [("Location", "/another/file.mp4")]),
        (302, [("Location", "http://[")]),
        (302, [("Location", "http://127.0.0.1:99999/")]),
        (302, [("Location", "file:///etc/passwd")]),
        (302, []),
    ],
)
@pytest.mark.parametrize("variant", ["video", "thumbnail"])
def test_whatever_a_file_server_says_is_no_fault_of_ours(
    films: Caller,
    running: Running,
    files: FileServer,
    status: int,
    headers: list[tuple[str, str]],
    variant: str,
):
    task = made(films)
    files.status, files.headers = status, headers
    before = len(running.log_text())
    answer = content(films, task, f"?variant={variant}")
    if status == 200:
        assert answer.status_code == 200, answer.text
        kind = answer.headers["Content-Type"]
        assert kind == "video/mp4" if variant == "video" else kind.startswith("image/")
        name = answer.headers["Content-Disposition"]
        assert re.fullmatch(rf'inline; filename="{task}\.\w+"', name)
    else:
        refused(answer, 502, "content_unavailable")
    assert "Traceback" not in running.log_text()[before:]


@pytest.mark.parametrize(
    "base", ["http://[", "http://[::1", "http://a b", "http://x:99999", "http://é"]
)
def test_a_link_that_is_none_still_ends_its_task(films: Caller, vendor: Vendor, base: str):
    """The vendor says that it is done: it must not hold its slot for that."""
    vendor.settings(public_url=base)
    task = films.created()
    wait_until(
        lambda: films.task(task)["task_status"] != "PROCESSING", 10, "the end that the vendor told"
    )
    answer = content(films, task)
    assert answer.status_code in (409, 410, 502), answer.text


def test_whoever_leaves_in_the_middle_leaves_nothing_behind(
    films: Caller, running: Running, files: FileServer
):
    files.content = LARGE
    task = made(films)
    before = len(running.log_text())

    def leave(_: int) -> bytes:
        path = f"{films.url}/v1/videos/{task}/content"
        with httpx.stream("GET", path, headers=films.http.headers, timeout=30) as answer:
            assert answer.status_code == 200
            return next(answer.iter_raw(1))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(leave, range(40))) == {b"\0"}
    wait_until(lambda: files.open == 0, what="the file server to be let go")
    assert content(films, task).content == LARGE
    assert "Traceback" not in running.log_text()[before:]


def test_slow_readers_keep_nobody_else_from_reading(films: Caller, files: FileServer):
    """As many of them as there are connections in an HTTP client that nobody told otherwise."""
    files.content = LARGE
    task = made(films)
    path = f"{films.url}/v1/videos/{task}/content"
    with closing(httpx.Client(limits=httpx.Limits(), headers=films.http.headers)) as many:
        slow = []
        try:
            for _ in range(110):
                request = many.build_request("GET", path)
                slow.append(many.send(request, stream=True))
            assert {answer.status_code for answer in slow} == {200}
            assert content(films, task, "?variant=thumbnail").status_code == 200
        finally:
            for answer in slow:
                answer.close()


def test_a_file_that_breaks_off_is_seen_to_be_broken(films: Caller, files: FileServer):
    files.told_length = len(files.content) + 1
    task = made(films)
    with pytest.raises(httpx.RemoteProtocolError):
        content(films, task)
    files.told_length = None
    assert content(films, task).content == files.content
