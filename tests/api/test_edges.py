"""What holds at every path: methods, spellings, envelopes, pages in browsers, the reference."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from gateway.dialects import DIALECTS
from gateway.dialects.contract import Dialect, Operation, Route
from tests.harness import ADMIN_KEY, TEAM_KEY, Caller, Processes, Running, Vendor, wait_until

LIMIT = {"main": 20}
PAGE, ELSEWHERE = "https://tools.example", "https://elsewhere.example"
ROUTES = [(dialect, route) for dialect in DIALECTS for route in dialect.routes]
OURS = [
    "/v1/limits",
    "/v1/models",
    "/v1/models/cogvideox-3",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/static/swagger-ui.css",
]
CANCEL = "/v1/videos/{task_id}/cancel"
REFUSED = [(d, route) for d, route in ROUTES if route.operation is Operation.REFUSE]
GETS = [r.path for _, r in ROUTES if r.method == "GET" and r.operation is not Operation.REFUSE]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
BODY = {"model": "cogvideox-3", "prompt": "A cat is playing with a ball."}
MISSING = "task_" + "0" * 32


@pytest.fixture(scope="module")
def vendor(shared: Processes) -> Vendor:
    return shared.simulator(LIMIT, duration="0.1")


@pytest.fixture(scope="module")
def running(shared: Processes, vendor: Vendor) -> Running:
    return shared.gateway(vendor, LIMIT)


@pytest.fixture(scope="module")
def open_to_pages(shared: Processes, vendor: Vendor, running: Running) -> Running:
    return shared.gateway(vendor, LIMIT, GATEWAY_CORS_ORIGINS=[PAGE])


@pytest.fixture(scope="module")
def films(running: Running) -> Iterator[Caller]:
    with closing(Caller(running.url)) as team:
        yield team


@pytest.fixture(scope="module")
def film(films: Caller) -> str:
    task = films.created()
    assert films.ended(task)["task_status"] == "SUCCESS"
    return task


@pytest.fixture(scope="module")
def reference(films: Caller) -> dict[str, Any]:
    return httpx.get(f"{films.url}/openapi.json").json()


def send(films: Caller, method: str, path: str, **said: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"} if path.startswith("/metrics") else {}
    return films.http.request(method, path, headers=headers | said.pop("headers", {}), **said)


def enveloped(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "type", "param"}
    assert all(isinstance(error[name], str) for name in ("code", "message", "type"))
    assert code in (None, error["code"])
    assert answer.headers["x-request-id"]
    return error


def made(films: Caller) -> int:
    return len(films.http.get("/v1/videos", params={"limit": 100}).json()["data"])


@pytest.mark.parametrize("path", [*GETS, *OURS])
def test_a_head_is_its_gets_head(films: Caller, film: str, path: str):
    path = path.format(task_id=film)
    get, head = send(films, "GET", path), send(films, "HEAD", path)
    assert get.status_code == head.status_code == 200, get.text
    assert head.content == b""
    varies = {"x-request-id", "date", "connection"}
    if path == "/metrics":
        varies.add("content-length")
    assert {k: v for k, v in head.headers.items() if k not in varies} == {
        k: v for k, v in get.headers.items() if k not in varies
    }


@pytest.mark.parametrize("path", [*GETS, *OURS, CANCEL, "/v1/videos"])
def test_a_head_of_what_there_is_not_or_may_not_be_is_refused_without_a_body(
    films: Caller, path: str
):
    path = path.format(task_id=MISSING)
    get, head = (httpx.request(method, f"{films.url}{path}") for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (get.status_code, b"")


@pytest.mark.parametrize("path", sorted({route.path for _, route in ROUTES} | {CANCEL}))
def test_the_methods_of_a_path_are_told_and_no_others_do_anything(
    films: Caller, film: str, path: str
):
    route_methods = {r.method for _, r in ROUTES if r.path == path} or {"POST"}
    allowed = route_methods | {"OPTIONS"} | ({"HEAD"} if "GET" in route_methods else set())
    path = path.format(task_id=film)
    before = made(films)
    asked = httpx.options(f"{films.url}{path}")
    assert asked.status_code == 200
    assert set(asked.headers["Allow"].split(", ")) == allowed
    assert asked.json()
    for method in set(METHODS) - allowed:
        answer = films.http.request(method, path, json=BODY)
        if method == "HEAD":
            assert (answer.status_code, answer.content) == (405, b"")
        else:
            assert method in enveloped(answer, 405, "method_not_allowed")["message"]
        assert set(answer.headers["Allow"].split(", ")) == allowed
    assert made(films) == before
    assert films.task(film)["task_status"] == "SUCCESS"


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "PURGE", "LINK"])
def test_methods_that_nobody_uses_are_told_of_all_that_there_are(films: Caller, method: str):
    for path, allowed in (
        ("/v1/videos", {"GET", "HEAD", "OPTIONS", "POST"}),
        (f"/v1/videos/{MISSING}", {"DELETE", "GET", "HEAD", "OPTIONS"}),
        ("/v1/videos/edits", {"OPTIONS", "POST"}),
    ):
        answer = films.http.request(method, path)
        enveloped(answer, 405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", OURS[:-1])
def test_our_own_paths_are_read_only(films: Caller, path: str):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = send(films, method, path, json=BODY)
        enveloped(answer, 405, "method_not_allowed")
        assert "GET" in answer.headers["Allow"]


def test_a_method_in_a_header_is_no_method(films: Caller, film: str):
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        answer = films.http.post(f"/v1/videos/{film}/remix", headers={name: "DELETE"})
        enveloped(answer, 400, "not_supported")
        answer = films.http.post("/v1/videos", params={"_method": "GET"}, headers={name: "GET"})
        enveloped(answer, 400)
    assert films.task(film)["task_status"] == "SUCCESS"


@pytest.mark.parametrize("path", [*GETS, *OURS])
def test_a_trailing_slash_leads_to_the_same_without_a_redirect(films: Caller, film: str, path: str):
    path = path.format(task_id=film)
    plain = send(films, "GET", path)
    for slashes in ("/", "//"):
        answer = send(films, "GET", path + slashes)
        assert answer.status_code == 200
        if path != "/metrics":
            assert answer.content == plain.content


def test_posts_and_deletes_may_have_a_trailing_slash_as_well(films: Caller):
    for _, route in ROUTES:
        if route.operation is not Operation.CREATE:
            continue
        answer = films.http.post(f"{route.path}/", json=BODY | {"async": True})
        assert answer.status_code == 200, route.path
        task = answer.json()["id"]
        films.ended(task)
        assert films.http.delete(f"/v1/videos/{task}/").json()["deleted"] is True
    task = films.created()
    assert films.http.post(f"/v1/videos/{task}/cancel/").status_code in (200, 202, 409)


@pytest.mark.parametrize(("dialect", "route"), REFUSED, ids=lambda v: getattr(v, "path", ""))
def test_what_no_model_here_can_do_is_refused_and_makes_nothing(
    films: Caller, film: str, dialect: Dialect, route: Route
):
    path, before = route.path.format(task_id=film), made(films)
    bodies: list[dict[str, Any]] = [{}]
    if route.method == "POST":
        bodies = [{"json": BODY}, {"files": {"video": ("a.mp4", b"....ftyp")}, "data": BODY}, {}]
    for body in bodies:
        answer = films.http.request(route.method, path, **body)
        error = enveloped(answer, 400, "not_supported")
        assert error["type"] == "invalid_request_error"
        assert "cogvideox-3" in error["message"]
    enveloped(httpx.request(route.method, f"{films.url}{path}"), 401, "missing_api_key")
    assert made(films) == before


def test_paths_without_v1_do_the_same(films: Caller, film: str):
    for path in (f"/async-result/{film}", f"/videos/{film}", f"/videos/{film}/content", "/videos"):
        assert films.http.get(path).content == films.http.get(f"/v1{path}").content
    for path in ("/videos/generations", "/videos"):
        answer = films.http.post(path, json=BODY)
        assert answer.status_code == 200
        assert films.ended(answer.json()["id"])["task_status"] == "SUCCESS"
    assert films.http.delete(f"/videos/{answer.json()['id']}").json()["deleted"] is True


def test_no_success_has_an_empty_body(films: Caller, reference: dict[str, Any]):
    """SDKs parse whatever comes. All paths there are: by the table, and by the reference."""
    ways = {(route.method, route.path) for _, route in ROUTES} | {("GET", path) for path in OURS}
    ways |= {(method.upper(), path) for path, item in reference["paths"].items() for method in item}
    ways |= {("OPTIONS", path) for _, path in set(ways)}
    task = None
    for method, path in sorted(ways):
        if task is None:
            task = films.created()
            films.ended(task)
        path = path.format(task_id=task, model="cogvideox-3")
        if method == "DELETE":
            task = None
        answer = send(films, method, path, json=BODY | {"async": True})
        assert answer.status_code != 204
        assert answer.status_code >= 400 or answer.content, (method, path)
        if answer.status_code >= 400:
            assert answer.json()["error"]["message"]


def test_unless_told_otherwise_pages_of_other_origins_are_told_nothing(films: Caller, film: str):
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    answers = [
        films.http.options("/v1/videos", headers=asks),
        films.http.get(f"/v1/videos/{film}", headers={"Origin": PAGE}),
        films.http.get(f"/v1/videos/{MISSING}", headers={"Origin": PAGE}),
    ]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_a_page_of_an_origin_that_may_call_does(open_to_pages: Running, film: str):
    url, key = open_to_pages.url, {"Authorization": f"Bearer {TEAM_KEY}"}
    asks = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, idempotency-key, prefer",
    }
    with closing(httpx.Client(base_url=url)) as page:
        for path in ("/v1/videos/generations", "/v1/videos", f"/v1/videos/{film}"):
            for method in ("POST", "GET", "DELETE"):
                asks["Access-Control-Request-Method"] = method
                preflight = page.options(path, headers=asks)
                assert preflight.status_code == 200
                assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
                assert method in preflight.headers["Access-Control-Allow-Methods"]
                allowed = preflight.headers["Access-Control-Allow-Headers"].lower()
                assert {"authorization", "idempotency-key", "prefer"} <= set(allowed.split(", "))
        actual = [
            page.get(f"/v1/videos/{film}", headers=key | {"Origin": PAGE}),
            page.post("/v1/videos/generations", json=BODY, headers=key | {"Origin": PAGE}),
            page.get(f"/v1/videos/{film}", headers={"Origin": PAGE}),  # a refusal is read as well
            page.get(f"/v1/videos/{film}/content", headers=key | {"Origin": PAGE}),
        ]
        assert [answer.status_code for answer in actual] == [200, 200, 401, 200]
        for answer in actual:
            assert answer.headers["Access-Control-Allow-Origin"] == PAGE
            assert answer.headers["Vary"] == "Origin"
        for origin in (ELSEWHERE, "null", f"{PAGE}.elsewhere.example", PAGE.replace("s:", ":")):
            refused = page.options(path, headers=asks | {"Origin": origin})
            assert refused.status_code == 400
            foreign = page.get(f"/v1/videos/{film}", headers=key | {"Origin": origin})
            for answer in (refused, foreign):
                assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_page_may_read_what_it_needs_to_poll_to_wait_and_to_play(
    open_to_pages: Running, film: str
):
    headers = {"Authorization": f"Bearer {TEAM_KEY}", "Origin": PAGE}
    with closing(httpx.Client(base_url=open_to_pages.url, headers=headers)) as page:
        answers = [
            page.post("/v1/videos", json=BODY, headers={"Idempotency-Key": "a page's"}),
            page.post("/v1/videos", json=BODY, headers={"Idempotency-Key": "a page's"}),
            page.get(f"/v1/videos/{film}", headers={"Prefer": "wait=0"}),
            page.get(f"/v1/videos/{film}/content", headers={"Range": "bytes=0-3"}),
            page.post(f"/v1/videos/{film}/cancel"),
        ]
    # Those that a page may read of any answer, and those that it can do without.
    others = {"content-type", "content-length", "date", "vary", "x-content-type-options"}
    others |= {"accept-ranges", "content-disposition", "etag", "last-modified"}
    for answer in answers:
        shown = answer.headers["Access-Control-Expose-Headers"].lower().split(", ")
        own = {name for name in answer.headers if not name.startswith("access-control-")}
        assert own - others <= set(shown)


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def test_the_reference_is_openapi(reference: dict[str, Any]):
    assert re.fullmatch(r"3\.1\.\d+", reference["openapi"])
    assert reference["info"]["title"] and reference["info"]["version"]
    seen = []
    for path, item in reference["paths"].items():
        assert path.startswith("/")
        for method, operation in item.items():
            assert method in ("get", "post", "delete")
            seen.append(operation["operationId"])
            assert operation["summary"] and not operation["summary"].endswith(".")
            parameters = operation.get("parameters", [])
            assert {p["name"] for p in parameters if p["in"] == "path"} == set(
                re.findall(r"{(\w+)}", path)
            )
            assert all(p["required"] and p["schema"] for p in parameters if p["in"] == "path")
            assert operation["responses"]
            for status, response in operation["responses"].items():
                assert re.fullmatch(r"[1-5](\d\d|XX)|default", status)
                assert response["description"]
            if body := operation.get("requestBody"):
                assert method == "post"
                assert all(media["schema"] for media in body["content"].values())
    assert len(seen) == len(set(seen))
    for pointer in _references(reference):
        found: Any = reference
        for name in pointer.removeprefix("#/").split("/"):
            assert name in found, pointer
            found = found[name]
    schemes = reference["components"]["securitySchemes"]
    assert all(name in schemes for need in reference["security"] for name in need)


def test_the_reference_has_every_path_that_is_to_be_shown(reference: dict[str, Any]):
    shown = {(m.upper(), path) for path, item in reference["paths"].items() for m in item}
    listed = {(route.method, route.path) for _, route in ROUTES if route.listed}
    assert listed | {("POST", CANCEL), ("GET", "/v1/limits"), ("GET", "/v1/models")} <= shown
    assert not {(route.method, route.path) for _, route in ROUTES if not route.listed} & shown
    assert not [path for _, path in shown if "metrics" in path]


def test_its_examples_run_as_they_stand(films: Caller, reference: dict[str, Any]):
    tried = 0
    for path, item in reference["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {})
            examples = content.get("application/json", {}).get("examples", {})
            for name, example in examples.items():
                answer = films.http.request(method, path, json=example["value"])
                assert answer.status_code == 200, (path, name, answer.text)
                wait_until(lambda a=answer: films.ended(a.json()["id"]))
                tried += 1
    assert tried >= len({r.path for _, r in ROUTES if r.operation is Operation.CREATE and r.listed})


def test_the_page_asks_no_other_host_for_anything(films: Caller):
    page = httpx.get(f"{films.url}/docs")
    assert page.headers["content-type"].startswith("text/html")
    asked = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)["']""", page.text)
    assert len(asked) >= 4
    assert "://" not in page.text.replace("http://www.w3.org/", "")
    for path in asked:
        assert path.startswith("/") and not path.startswith("//")
        assert httpx.get(f"{films.url}{path}").status_code == 200
    style = httpx.get(f"{films.url}/docs/static/swagger-ui.css").text
    assert not re.search(r"""(?:@import|url\()\s*["']?https?:""", style)


@pytest.mark.parametrize(
    "path", ["..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/swagger_ui.py", "..%5cx", "a%00b", "", "."]
)
def test_the_pages_files_are_all_that_there_is_beside_it(films: Caller, path: str):
    enveloped(httpx.get(f"{films.url}/docs/static/{path}"), 404)


def test_models_are_listed_with_what_they_can_do(films: Caller):
    told = films.http.get("/v1/models").json()
    assert told["object"] == "list"
    assert [model["id"] for model in told["data"]] == ["cogvideox-3"]
    model = told["data"][0]
    assert model["object"] == "model"
    assert isinstance(model["created"], int) and isinstance(model["owned_by"], str)
    assert model["price_fen"] == 100
    able = model["capabilities"]
    assert (able["input"], able["output"]) == (["text", "image"], ["video"])
    assert (able["max_images"], able["max_prompt_characters"]) == (2, 512)
    assert (able["fps"], able["durations_seconds"]) == ([30, 60], [5, 10])
    assert able["qualities"] == ["speed", "quality"]
    # What is told to be possible is.
    for name, values in (("size", able["sizes"]), ("fps", able["fps"])):
        for value in values:
            assert films.submit(**{name: value}).status_code == 200
    assert films.http.get("/v1/models/cogvideox-3").json() == model
    enveloped(films.http.get("/v1/models/sora-2"), 404, "not_found")
    for path in ("/v1/models", "/v1/models/cogvideox-3", "/v1/limits"):
        enveloped(httpx.get(f"{films.url}{path}"), 401)


# By dialect: no key, a wrong key, an unknown model, no prompt, a wrong value, two names for a
# field, too long a prompt, no JSON, no such task.
ZHIPUS = ["1001", "1002", "1211", "1213", "1214", "1215", "1261", "1210", "not_found"]
OPENAIS = [
    *("missing_api_key", "invalid_api_key", "model_not_found", "missing_field", "invalid_field"),
    *("conflicting_fields", "prompt_too_long", "malformed_body", "not_found"),
]
CODES = {
    "unified": ZHIPUS,
    "bigmodel": ZHIPUS,
    "geekai": ZHIPUS,
    "openai": OPENAIS,
    "new-api": [*OPENAIS[:-1], "task_not_exist"],
}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_errors_are_in_the_words_of_whoever_asks(films: Caller, dialect: Dialect):
    path = next(r.path for r in dialect.routes if r.operation is Operation.CREATE)
    gets = [r.path for r in dialect.routes if r.operation is Operation.RETRIEVE]
    get = (gets or ["/v1/async-result/{task_id}"])[0].format(task_id=MISSING)
    two = {"image": "https://i.example/1.png", "image_url": "https://i.example/2.png"}
    bodies = [
        BODY | {"model": "sora-2"},
        {"model": "cogvideox-3"},
        BODY | {"fps": 7},
        BODY | two,
        BODY | {"prompt": "字" * 513},
    ]
    before = made(films)
    answers = [
        httpx.post(f"{films.url}{path}", json=BODY),
        httpx.post(f"{films.url}{path}", json=BODY, headers={"Authorization": "Bearer sk-nobody"}),
        *(films.http.post(path, json=body) for body in bodies),
        films.http.post(path, content=json.dumps(BODY)[:-1]),
        films.http.get(get),
    ]
    model = 404 if dialect.name in ("openai", "new-api") else 400
    statuses = [401, 401, model, 400, 400, 400, 400, 400, 404]
    for answer, status, code in zip(answers, statuses, CODES[dialect.name], strict=True):
        enveloped(answer, status, code)
    assert made(films) == before
