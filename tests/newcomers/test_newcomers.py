"""A third dialect and a third vendor take one file and one line each. Nobody else notices."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import Caller, Processes, Running, api_keys, wait_until
from tests.newcomers.checkout import Checkout, copied
from tests.newcomers.tin_works import FILM, KEY

HERE = Path(__file__).parent
IMPORT_DIALECT = "from gateway.dialects.haiku import HaikuDialect"
IMPORT_VENDOR = "from gateway.providers import tin"
DIALECT = "    HaikuDialect(),"
VENDOR = '    "tin": ProviderKind(tin.Tin, "https://tin.example", tin.cannot_express),'
LINES = ["An old silent pond", "A frog jumps into the pond", "Splash! Silence again"]
FIRST, LAST = "https://img.example/first.png", "https://img.example/last.png"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The package with a file and an entry more for each, and the imports that entries need."""
    copy = copied(tmp_path_factory.mktemp("newcomers"))
    future = "from __future__ import annotations"
    copy.put(HERE / "haiku_dialect.py", "gateway/dialects/haiku.py")
    copy.insert("gateway/dialects/__init__.py", future, IMPORT_DIALECT)
    copy.insert("gateway/dialects/__init__.py", "DIALECTS: tuple[", DIALECT)
    copy.put(HERE / "tin_vendor.py", "gateway/providers/tin.py")
    copy.insert("gateway/providers/__init__.py", future, IMPORT_VENDOR)
    copy.insert("gateway/providers/__init__.py", "PROVIDERS: Mapping[", VENDOR)
    return copy


@pytest.fixture(scope="module")
def tin_works() -> Iterator[str]:
    """The address of the third vendor, which runs meanwhile."""
    command = [sys.executable, "-W", "error", "-m", "tests.newcomers.tin_works"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent.parent
    ) as works:
        assert works.stdout is not None
        yield works.stdout.readline().strip()
        works.terminate()


@pytest.fixture(scope="module")
def gateway(shared: Processes, checkout: Checkout, tin_works: str) -> Running:
    """The copy, with an account at the third vendor and one at an old one."""
    zhipu = shared.simulator({"main": 5}, duration="0.1")
    model = {
        "name": "tin-3",
        "price_fen": 7,
        "limit": 5,
        "providers": ["tin"],
        "qualities": ["speed", "quality"],
        "sizes": ["1280x720", "1920x1080"],
        "fps": [30, 60],
        "durations": [5, 10],
        "max_images": 2,
    }
    main = {"base_url": zhipu.base_url, "limit": 5, "api_keys": api_keys("main")}
    tin = {"provider": "tin", "base_url": tin_works, "limit": 5, "api_keys": [KEY]}
    return shared.gateway(
        None,
        {},
        GATEWAY_ACCOUNTS=[{"name": "main"} | main, {"name": "tinsmith"} | tin],
        GATEWAY_MODELS=[model],
        **checkout.environment,
    )


@pytest.fixture
def films(shared: Processes, gateway: Running) -> Caller:
    return shared.caller(gateway)


def ordered(tin_works: str, scene: str) -> dict[str, Any]:
    """What the vendor was sent, the one time that it was."""
    orders = httpx.get(f"{tin_works}/orders").json()["orders"]
    (found,) = (order for order in orders if order["scene"] == scene)
    return found


def seen(films: Caller, path: str, word: str, *ends: str) -> dict[str, Any]:
    """The body at this path once the word is one of the ends."""

    def ended() -> dict[str, Any] | None:
        body = films.http.get(path).raise_for_status().json()
        return body if body[word] in ends else None

    return wait_until(ended, what=f"one of {ends} at {path}")


def test_each_newcomer_is_a_file_an_entry_and_its_import(checkout: Checkout):
    assert checkout.changes() == {
        "dialects/haiku.py": ["new file"],
        "dialects/__init__.py": [f"+ {IMPORT_DIALECT}", f"+ {DIALECT}"],
        "providers/tin.py": ["new file"],
        "providers/__init__.py": [f"+ {IMPORT_VENDOR}", f"+ {VENDOR}"],
    }


def test_the_new_dialect_makes_a_film_at_the_new_vendor(films: Caller, tin_works: str):
    answer = films.http.post("/haiku/films", json={"model": "tin-3", "lines": LINES})
    assert answer.status_code == 200, answer.text
    asked = answer.json()
    assert asked.keys() == {"film", "season"}
    assert asked["season"] in ("winter", "spring")
    assert answer.headers["x-cost-fen"] == "7"
    made = seen(films, f"/haiku/films/{asked['film']}", "season", "summer", "autumn")
    assert made.keys() == {"film", "season", "blossom"}
    assert httpx.get(made["blossom"]).content == FILM
    scene = "\n".join(LINES)
    assert ordered(tin_works, scene) == {"alloy": "tin-3", "scene": scene}


@pytest.mark.parametrize(
    ("create", "ask", "form", "word", "ends"),
    [
        (
            "/api/paas/v4/videos/generations",
            "/api/paas/v4/async-result/{}",
            {"image_url": [FIRST, LAST], "watermark_enabled": False, "duration": 10},
            "task_status",
            ("SUCCESS", "FAIL"),
        ),
        (
            "/api/v1/videos/generations",
            "/api/v1/videos/{}",
            {"image": [FIRST, LAST], "watermark": False, "duration": 10, "async": True},
            "task_status",
            ("succeed", "failed"),
        ),
        (
            "/v1/videos",
            "/v1/videos/{}",
            {"input_reference": [FIRST, LAST], "watermark": False, "seconds": "8"},
            "status",
            ("completed", "failed"),
        ),
        (
            "/v1/video/generations",
            "/v1/video/generations/{}",
            {"images": [FIRST, LAST], "metadata": {"watermark": False}, "seconds": 10},
            "status",
            ("completed", "failed"),
        ),
    ],
)
def test_old_dialects_make_films_at_the_new_vendor(
    films: Caller,
    tin_works: str,
    create: str,
    ask: str,
    form: dict[str, Any],
    word: str,
    ends: tuple[str, str],
):
    scene = f"a frog, by way of {create}"
    body = {"model": "tin-3", "prompt": scene, "size": "1280x720"} | form
    answer = films.http.post(create, json=body)
    assert answer.status_code == 200, answer.text
    task_id = answer.json()["id"]
    assert seen(films, ask.format(task_id), word, *ends)[word] == ends[0]
    content = films.http.get(f"/v1/videos/{task_id}/content")
    assert (content.content, content.headers["content-type"]) == (FILM, "video/mp4")
    assert ordered(tin_works, scene) == {
        "alloy": "tin-3",
        "scene": scene,
        "stills": [FIRST, LAST],
        "width_x_height": "1280x720",
        "length": 10,
        "hallmark": False,
    }


def test_the_new_dialect_makes_a_film_at_an_old_vendor(films: Caller):
    answer = films.http.post("/haiku/films", json={"model": "cogvideox-3", "lines": LINES})
    task_id = answer.json()["film"]
    made = seen(films, f"/haiku/films/{task_id}", "season", "summer", "autumn")
    assert httpx.get(made["blossom"], headers={"Range": "bytes=4-7"}).content == b"ftyp"
    assert films.task(task_id)["task_status"] == "SUCCESS"


def test_the_new_vendors_ends_and_refusals_are_told_in_everybodys_words(films: Caller):
    rusted = films.http.post("/haiku/films", json={"model": "tin-3", "lines": ["rust"] * 3}).json()
    ended = seen(films, f"/haiku/films/{rusted['film']}", "season", "summer", "autumn")
    assert ended["frost"] == "it rusted"
    assert films.task(rusted["film"])["error"] == {"code": "tin_scrap", "message": "it rusted"}

    gold = films.http.post("/haiku/films", json={"model": "tin-3", "lines": ["gold"] * 3})
    assert (gold.status_code, gold.json()["error"]["code"]) == (400, "leaf_tin_400")
    assert gold.json()["error"]["message"] == "we forge tin"


def test_what_the_new_vendor_cannot_express_is_refused_by_name(films: Caller):
    refused = films.http.post(
        "/haiku/films", json={"model": "tin-3", "lines": LINES, "fps": 30}
    ).json()["error"]
    assert (refused["code"], refused["param"]) == ("leaf_invalid_field", "fps")
    assert "tin" in refused["message"]


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"model": "tin-3", "lines": ["one"]}, "leaf_invalid_field", "lines"),
        ({"model": "tin-4", "lines": LINES}, "leaf_model_not_found", "model"),
        ({"lines": LINES}, "leaf_missing_field", "model"),
    ],
)
def test_errors_come_in_the_new_dialects_words(
    films: Caller, body: dict[str, Any], code: str, param: str
):
    error = films.http.post("/haiku/films", json=body).json()["error"]
    assert (error["code"], error["param"]) == (code, param)


def test_the_new_dialect_has_all_that_the_api_gives_to_each(films: Caller):
    for answer in (
        httpx.post(f"{films.url}/haiku/films", json={}),
        films.http.get("/haiku/films/task_0"),
    ):
        assert answer.json()["error"]["code"] in ("leaf_missing_api_key", "leaf_not_found")
        assert answer.headers["x-request-id"]
    waited = films.http.post(
        "/haiku/films",
        json={"model": "tin-3", "lines": ["wait", "for", "me"]},
        headers={"Prefer": "wait=30"},
    )
    assert waited.json()["season"] == "summer"
    assert waited.headers["preference-applied"] == "wait"
    paths = films.http.get("/openapi.json").json()["paths"]
    assert {"/haiku/films", "/haiku/films/{task_id}"} <= paths.keys()
    models = films.http.get("/v1/models").json()["data"]
    assert {model["id"] for model in models} == {"cogvideox-3", "tin-3"}


def test_a_method_that_there_is_not_is_told_in_the_words_of_its_path(films: Caller):
    answer = films.http.delete("/haiku/films")
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "leaf_method_not_allowed"
