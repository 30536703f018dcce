"""The dashboard's files: what they weigh, that they say everything in both languages, and that they
come with nothing from elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import httpx
import pytest

from gateway.api.dashboard import POLICY
from tests.harness import Processes, Running

FOLDER = Path(str(resources.files("gateway.dashboard")))
OURS = sorted([*FOLDER.glob("*.js"), *FOLDER.glob("views/*.js")])
MOST_BYTES = 300_000


@pytest.fixture(scope="module")
def running(shared: Processes) -> Running:
    return shared.gateway(None, {"main": 1})


@pytest.fixture
def http(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url) as client:
        yield client


def shipped() -> list[str]:
    return [
        str(path.relative_to(FOLDER))
        for path in FOLDER.rglob("*")
        if path.suffix in (".html", ".css", ".js", ".svg")
    ]


def test_all_of_it_is_light(http: httpx.Client):
    sizes = {}
    for path in shipped():
        with http.stream("GET", f"/dashboard/{path}") as answer:
            assert answer.status_code == 200, path
            sizes[path] = len(b"".join(answer.iter_raw()))
    assert sum(sizes.values()) < MOST_BYTES, sizes


def test_every_file_forbids_what_is_not_ours(http: httpx.Client):
    for path in ("", *(f"/{each}" for each in shipped())):
        answer = http.get(f"/dashboard{path}")
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in POLICY
    assert "script-src 'self'" in POLICY


def test_a_file_that_is_known_is_not_sent_again(http: httpx.Client):
    first = http.get("/dashboard/app.js")
    again = http.get("/dashboard/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = http.get("/dashboard/app.js", headers={"Accept-Encoding": "identity"})
    assert plain.content == (FOLDER / "app.js").read_bytes() == first.content


@pytest.mark.parametrize("path", ["../bootstrap.py", "__init__.py", "vendor/vendored.json", "x"])
def test_nothing_else_is_served(http: httpx.Client, path: str):
    assert http.get(f"/dashboard/{path.replace('..', '%2e%2e')}").status_code == 404


def test_the_page_has_no_inline_script_or_style():
    page = (FOLDER / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*src=)|<style| on\w+=|style=", page)
    assert "http" not in page


def test_vendored_files_are_those_of_the_list():
    for package in json.loads((FOLDER / "vendor" / "vendored.json").read_text()):
        for file in package["files"]:
            content = (FOLDER / "vendor" / file["name"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["sha256"], file["name"]


def words() -> dict[str, tuple[str, str]]:
    """By key, in Chinese and in English."""
    text = (FOLDER / "words.js").read_text()
    pair = re.compile(r'^  (\w+): \[\s*"((?:[^"\\]|\\.)*)",\s*"((?:[^"\\]|\\.)*)",?\s*\],$', re.M)
    found = {key: (chinese, english) for key, chinese, english in pair.findall(text)}
    assert len(found) == len(re.findall(r"^  \w+: \[", text, re.M))
    return found


def test_every_word_is_there_in_both_languages():
    for key, (chinese, english) in words().items():
        assert chinese and english, key
        assert re.findall(r"\{\w+\}", chinese) == re.findall(r"\{\w+\}", english) or sorted(
            re.findall(r"\{\w+\}", chinese)
        ) == sorted(re.findall(r"\{\w+\}", english)), key
        assert not re.search(r"[\u4e00-\u9fff]", english), key
        same = {"CSV", "{at}"}
        assert re.search(r"[\u4e00-\u9fff]", chinese) or chinese in same, key


def test_every_word_that_is_used_is_there_and_every_one_is_used():
    text = "".join(path.read_text() for path in OURS if path.name != "words.js")
    known = set(words())
    used = set(re.findall(r'\bt\(\s*"(\w+)"', text))
    assert used <= known, used - known
    begins = set(re.findall(r"`(\w+_)\$\{", text))
    said = set(re.findall(r'"(\w+)"', text))
    unused = {
        key for key in known - used - said if not any(key.startswith(begin) for begin in begins)
    }
    assert unused == set()


def test_no_text_is_written_past_the_list_of_words():
    for path in OURS:
        if path.name in ("words.js", "preferences.js"):
            continue
        assert not re.search(r"[\u4e00-\u9fff]", path.read_text()), path.name


def test_whoever_renders_never_trusts_a_text():
    for path in OURS:
        text = path.read_text()
        for trust in ("innerHTML", "dangerouslySetInnerHTML", "insertAdjacentHTML", "eval("):
            assert trust not in text, path.name
