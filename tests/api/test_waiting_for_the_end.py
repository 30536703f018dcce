"""Callers who would rather wait for their video than ask for it again and again."""

from __future__ import annotations

import secrets
import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from gateway.dialects import DIALECTS
from gateway.dialects.contract import Operation
from gateway.store.embedded import EmbeddedStore
from tests.harness import OTHER_KEY, Caller, Processes, Running, Vendor, wait_until

LIMIT = {"main": 50}
GEEKAI = "/api/v1/videos/generations"
UNIFIED = "/v1/videos/generations"
CREATE, RETRIEVE = (
    [route.path for dialect in DIALECTS for route in dialect.routes if route.operation is what]
    for what in (Operation.CREATE, Operation.RETRIEVE)
)
BODY = {"model": "cogvideox-3", "prompt": "A cat is playing with a ball."}
DONE = ("SUCCESS", "succeed", "completed")
FAILED = ("FAIL", "failed")
RUNNING = ("PROCESSING", "pending", "running", "queued", "in_progress")
NO_WAIT = ["wait", "wait=", "wait=soon", "wait=-1", "wait=1.5", "wait=1e3", "wait=0x1", "wait==1"]

Start = Callable[..., "Future[httpx.Response]"]


class StoreWatch:
    """Hears every command that is sent to the store."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url)
        self._monitor = self._redis.monitor().__enter__()
        self._heard: list[str] = []

    def reads(self, task_id: str) -> int:
        """How often a process of ours has read this task so far; scripts' own reads aside."""
        mark = secrets.token_hex(8)
        self._redis.echo(mark)
        while mark not in (command := self._monitor.next_command())["command"]:
            if command["client_type"] != "lua":
                self._heard.append(command["command"])
        return sum(heard.startswith("HGETALL") and task_id in heard for heard in self._heard)

    def close(self) -> None:
        self._monitor.__exit__(None, None, None)
        self._redis.close()


@pytest.fixture(scope="module")
def simulator(shared: Processes) -> Vendor:
    """Its tasks end when a test says so."""
    return shared.simulator(LIMIT, duration="3600")


@pytest.fixture(scope="module")
def impatient(shared: Processes, simulator: Vendor) -> Running:
    """Sees every end, and lets nobody wait for long."""
    return shared.gateway(simulator, LIMIT, GATEWAY_LONGEST_WAIT_SECONDS="0.5")


@pytest.fixture(scope="module")
def patient(shared: Processes, simulator: Vendor, impatient: Running) -> Running:
    """Sees no end by itself, and lets callers wait for it."""
    return shared.gateway(simulator, LIMIT, "serve", "--no-worker")


@pytest.fixture
def vendor(simulator: Vendor, impatient: Running) -> Vendor:
    simulator.end_all()
    simulator.settle_and_forget()
    return simulator


@pytest.fixture
def films(patient: Running) -> Iterator[Caller]:
    with closing(Caller(patient.url)) as team:
        yield team


@pytest.fixture
def store_watch(store_url: str) -> Iterator[StoreWatch]:
    with closing(StoreWatch(store_url)) as watch:
        yield watch


@pytest.fixture
def start() -> Iterator[Start]:
    """Begins a request in the background: start(team, "POST", path, json=...)."""
    with ThreadPoolExecutor(60) as pool:

        def begin(team: Caller, method: str, path: str, **said: Any) -> Future[httpx.Response]:
            return pool.submit(team.http.request, method, path, **said)

        yield begin


@pytest.fixture
def own_store() -> Iterator[EmbeddedStore]:
    """A server that the test may stop and start."""
    with tempfile.TemporaryDirectory(prefix="gateway-waiting-") as folder:
        embedded = EmbeddedStore(Path(folder))
        embedded.start()
        yield embedded
        embedded.stop()


def prefer(said: str) -> dict[str, str]:
    return {"Prefer": said}


def status_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return str(body["status"] if "status" in body else body["task_status"])


def in_flight(vendor: Vendor, tasks: int) -> None:
    wait_until(lambda: vendor.total()["in_flight"] == tasks, what=f"{tasks} tasks at the vendor")


def test_geekais_path_answers_when_the_video_is_done(films: Caller, vendor: Vendor, start: Start):
    answer = start(films, "POST", GEEKAI, json=BODY)
    in_flight(vendor, 1)
    vendor.end_all()
    assert status_of(answer.result()) == "succeed"
    assert httpx.get(answer.result().json()["video_result"][0]["url"]).content[4:8] == b"ftyp"
    assert "Preference-Applied" not in answer.result().headers
    assert "Retry-After" not in answer.result().headers


@pytest.mark.parametrize(
    ("path", "fields", "headers"),
    [
        (GEEKAI, {"async": True}, {}),
        (GEEKAI, {}, prefer("wait=0")),
        (UNIFIED, {}, {}),
        (UNIFIED, {"async": None}, {}),
        (UNIFIED, {"async": True}, {}),
        (UNIFIED, {"async": False}, prefer("wait=0")),
        ("/api/paas/v4/videos/generations", {}, {}),
        ("/v1/videos", {}, {}),
        ("/v1/video/generations", {}, {}),
    ],
)
def test_who_does_not_wait_is_answered_at_once(
    films: Caller, vendor: Vendor, path: str, fields: dict[str, Any], headers: dict[str, str]
):
    """Which is before the end, since only the tests end a video here."""
    answer = films.http.post(path, json=BODY | fields, headers=headers)
    assert status_of(answer) in RUNNING
    assert int(answer.headers["Retry-After"]) >= 1
    assert ("Preference-Applied" in answer.headers) is bool(headers)


def test_async_false_waits_on_every_path_that_makes_videos(
    films: Caller, vendor: Vendor, start: Start
):
    answers = [start(films, "POST", path, json=BODY | {"async": False}) for path in CREATE]
    in_flight(vendor, len(CREATE))
    vendor.end_all()
    assert all(status_of(answer.result()) in DONE for answer in answers)


def test_whoever_prefers_to_wait_for_a_new_video_does_on_every_path(
    films: Caller, vendor: Vendor, start: Start
):
    answers = [
        start(films, "POST", path, json=BODY | {"async": True}, headers=prefer("wait=100"))
        for path in CREATE
    ]
    in_flight(vendor, len(CREATE))
    vendor.end_all()
    for answer in answers:
        assert status_of(answer.result()) in DONE
        assert answer.result().headers["Preference-Applied"] == "wait"


def test_whoever_prefers_to_wait_for_a_known_video_does_on_every_path(
    films: Caller, vendor: Vendor, start: Start, store_watch: StoreWatch
):
    task = films.created()
    before = store_watch.reads(task)
    answers = [
        start(films, "GET", path.format(task_id=task), headers=prefer("wait=100"))
        for path in RETRIEVE
    ]
    wait_until(lambda: store_watch.reads(task) == before + 2 * len(RETRIEVE), what="all to wait")
    assert not any(answer.done() for answer in answers)
    vendor.end_all()
    for answer in answers:
        assert status_of(answer.result()) in DONE
        assert answer.result().headers["Preference-Applied"] == "wait"
    again = films.http.get(RETRIEVE[0].format(task_id=task), headers=prefer("wait=100"))
    assert status_of(again) in DONE
    assert again.headers["Preference-Applied"] == "wait"


@pytest.mark.parametrize("path", CREATE)
@pytest.mark.parametrize("said", NO_WAIT)
def test_a_wait_that_is_none_is_refused_by_name_and_makes_nothing(
    films: Caller, simulator: Vendor, path: str, said: str
):
    before = simulator.total()["submits"]
    answer = films.http.post(path, json=BODY, headers=prefer(said))
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "Prefer"
    assert "wait=N" in answer.json()["error"]["message"]
    assert simulator.total()["submits"] == before


@pytest.mark.parametrize("said", NO_WAIT)
def test_a_wait_that_is_none_is_refused_by_name_on_polls_as_well(films: Caller, said: str):
    task = films.created()
    for path in RETRIEVE:
        answer = films.http.get(path.format(task_id=task), headers=prefer(said))
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "Prefer"


@pytest.mark.parametrize(
    ("said", "applied"),
    [
        ("respond-async", False),
        ("return=minimal", False),
        ("waiting=7", False),
        ("WAIT=0", True),
        ('wait="0"', True),
        ("respond-async, wait=0", True),
        ("wait=0; foo=bar, handling=lenient", True),
    ],
)
def test_other_preferences_are_nobodys_business(films: Caller, said: str, applied: bool):
    answer = films.http.post(UNIFIED, json=BODY, headers=prefer(said))
    assert status_of(answer) in RUNNING
    assert ("Preference-Applied" in answer.headers) is applied


def test_a_wait_ends_in_time_with_the_running_task(
    impatient: Running, vendor: Vendor, shared: Processes, start: Start
):
    team = shared.caller(impatient)
    answer = team.http.post(GEEKAI, json=BODY)
    assert status_of(answer) == "running"
    assert "video_result" not in answer.json()
    assert int(answer.headers["Retry-After"]) >= 1
    task = answer.json()["id"]
    polls = [
        start(team, "GET", path.format(task_id=task), headers=prefer("wait=999999"))
        for path in RETRIEVE
    ]
    for poll in polls:
        assert status_of(poll.result()) in RUNNING
        assert int(poll.result().headers["openai-poll-after-ms"]) >= 1
    vendor.end_all()
    assert team.ended(task)["task_status"] == "SUCCESS"


def test_a_video_that_fails_meanwhile_is_no_failed_request(
    films: Caller, vendor: Vendor, start: Start
):
    vendor.fault(on="submit", kind="task_fails", shape="error_object")
    answers = [start(films, "POST", path, json=BODY | {"async": False}) for path in CREATE]
    in_flight(vendor, len(CREATE))
    vendor.end_all()
    for answer in answers:
        assert status_of(answer.result()) in FAILED
        error = answer.result().json()["error"]
        assert error["code"] in ("1301", "content_policy_violation")
        assert error["message"]


def test_a_vendor_that_refuses_at_once_keeps_nobody_waiting(films: Caller, vendor: Vendor):
    vendor.fault(on="submit", kind="error", code="1301", status=400, times=1)
    answer = films.http.post(GEEKAI, json=BODY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "1301")


def test_a_task_that_is_cancelled_keeps_nobody_waiting(
    films: Caller, vendor: Vendor, start: Start, store_watch: StoreWatch
):
    """It reads as failed from then on, whatever the vendor still does."""
    task = films.created()
    answer = start(films, "GET", f"/v1/videos/{task}", headers=prefer("wait=100"))
    wait_until(lambda: store_watch.reads(task) >= 2, what="it to wait")
    assert films.http.post(f"/v1/videos/{task}/cancel").status_code == 202
    late = start(films, "GET", f"/v1/videos/{task}", headers=prefer("wait=100"))
    try:
        wait_until(lambda: answer.done() and late.done(), 10, "the waiters to be let go")
    finally:
        vendor.end_all()
    for told in (answer.result(), late.result()):
        assert (told.json()["status"], told.json()["error"]["code"]) == ("failed", "cancelled")


def test_a_queued_task_that_is_deleted_keeps_nobody_waiting(
    patient: Running, vendor: Vendor, shared: Processes, start: Start, store_watch: StoreWatch
):
    team = shared.caller(patient, OTHER_KEY)
    for _ in range(5):
        team.created()  # that is its cap
    for _ in range(5):
        path = f"/v1/videos/{team.created()}"
        answers = [start(team, "GET", path, headers=prefer("wait=20")) for _ in range(4)]
        task = path.rpartition("/")[2]
        wait_until(lambda task=task: store_watch.reads(task) == 8, what="all to wait")
        assert team.http.delete(path).status_code == 200
        wait_until(lambda all_=answers: all(a.done() for a in all_), 10, "them to be let go")
        for answer in answers:
            told = answer.result()
            assert told.status_code == 404 or told.json()["error"]["code"] == "cancelled"


def test_many_who_wait_for_one_video_ask_the_store_once_each_and_are_woken_together(
    films: Caller, vendor: Vendor, start: Start, store_watch: StoreWatch
):
    """By an end that another replica saw."""
    task = films.created()
    path, many = f"/v1/async-result/{task}", 50
    before = store_watch.reads(task)
    answers = [start(films, "GET", path, headers=prefer("wait=100")) for _ in range(many)]
    # Each reads it to know whose it is, and once more when it is sure to hear of the end.
    wait_until(lambda: store_watch.reads(task) == before + 2 * many, what="all to wait")
    others = [films.created() for _ in range(10)]
    vendor_ids = {t["request_id"].rpartition("-")[0]: t["id"] for t in vendor.tasks()}
    end = {"ids": [vendor_ids[other] for other in others]}
    httpx.post(f"{vendor.url}/simulator/end", json=end).raise_for_status()
    assert {films.ended(other)["task_status"] for other in others} == {"SUCCESS"}
    assert store_watch.reads(task) == before + 2 * many
    assert not any(answer.done() for answer in answers)
    vendor.end_all()
    assert {status_of(answer.result()) for answer in answers} == {"SUCCESS"}
    assert store_watch.reads(task) <= before + 3 * many


def test_who_waits_over_an_outage_of_the_store_is_answered_after_it(
    simulator: Vendor, shared: Processes, start: Start, own_store: EmbeddedStore
):
    vendor = simulator
    vendor.end_all()
    vendor.settle_and_forget()
    running = shared.gateway(vendor, LIMIT, GATEWAY_REDIS_URL=own_store.url)
    team = shared.caller(running)
    task = team.created()
    answers = [
        start(team, "POST", GEEKAI, json=BODY),
        start(team, "GET", f"/v1/videos/{task}", headers=prefer("wait=100")),
    ]
    in_flight(vendor, 2)
    own_store.stop()
    vendor.end_all()
    assert team.submit().status_code == 503
    assert not any(answer.done() for answer in answers)
    own_store.start()
    assert [status_of(answer.result()) for answer in answers] == ["succeed", "completed"]
    running.stop()


def test_a_store_that_stumbles_just_when_the_end_is_told_keeps_nobody_waiting(
    films: Caller, vendor: Vendor, shared: Processes, start: Start, store_watch: StoreWatch
):
    """Whoever waits reads the task to know whose it is, to be sure, and when it hears of the end:
    this time in vain."""
    stumbles = [{"place": "before get_task", "failure": "reset", "first": 3}]
    running = shared.gateway(vendor, LIMIT, "serve", "--no-worker", GATEWAY_FAILPOINTS=stumbles)
    team, task = shared.caller(running), films.created()
    before = store_watch.reads(task)
    answer = start(team, "GET", f"/v1/videos/{task}", headers=prefer("wait=20"))
    wait_until(lambda: store_watch.reads(task) == before + 2, what="it to wait")
    vendor.end_all()
    wait_until(answer.done, 15, "the waiter to be told")
    assert status_of(answer.result()) == "completed"


def test_whoever_waits_is_answered_when_the_process_stops(
    vendor: Vendor, shared: Processes, start: Start, store_watch: StoreWatch
):
    running = shared.gateway(vendor, LIMIT, "serve", "--no-worker")
    team = shared.caller(running)
    task = team.created()
    answers = [
        start(team, "POST", GEEKAI, json=BODY),
        start(team, "GET", f"/v1/videos/{task}", headers=prefer("wait=100")),
    ]
    in_flight(vendor, 2)
    wait_until(lambda: store_watch.reads(task) >= 2, what="it to wait")
    running.signal(signal.SIGTERM)
    assert [status_of(answer.result()) for answer in answers] == ["running", "in_progress"]
    assert running.stop() == 0
    assert "Traceback" not in running.log_text()


def test_a_wait_that_ends_early_tells_how_far_the_task_has_come_meanwhile(
    vendor: Vendor, shared: Processes, start: Start, store_watch: StoreWatch
):
    """Not how far it was when the wait began."""
    running = shared.gateway(vendor, LIMIT, "serve", "--no-worker")
    team = shared.caller(running, OTHER_KEY)
    for _ in range(5):
        team.created()  # that is its cap
    task = team.created()
    answer = start(team, "GET", f"/v1/videos/{task}", headers=prefer("wait=100"))
    wait_until(lambda: store_watch.reads(task) >= 2, what="it to wait")
    vendor.end_all()
    in_flight(vendor, 1)
    wait_until(lambda: team.http.get(f"/v1/videos/{task}").json()["status"] == "in_progress")
    running.signal(signal.SIGTERM)
    assert status_of(answer.result()) == "in_progress"
    assert "x-queue-position" not in answer.result().headers


@pytest.mark.parametrize("said", [" " * 60_000 + "x", "=" + " " * 5_000 + '"x'])
def test_no_preference_keeps_the_gateway_busy(films: Caller, patient: Running, said: str):
    answer = films.http.post(UNIFIED, json=BODY, headers=prefer("wait" + said))
    assert answer.status_code in (200, 400, 431)
