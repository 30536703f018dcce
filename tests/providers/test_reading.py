"""Why a vendor refused, or a task failed: in every shape that is seen, and nothing read into it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.providers.reading import error_of, failure_of, text, videos_of

LINK = "https://v.example/1.mp4"


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": {"code": "1210", "message": "no"}}, "1210", "no"),
        ({"error": {"code": 1210, "message": "no"}}, "1210", "no"),
        ({"code": 1210, "message": "no"}, "1210", "no"),
        ({"code": "1210", "error": "no"}, "1210", "no"),
        ({"error": "no"}, None, "no"),
        ({"message": "no"}, None, "no"),
        ({"error": {}, "message": "no"}, None, "no"),
        ({"error": {"code": True, "message": ["no"]}}, None, None),
        ({"error": ["no"]}, None, None),
        ({}, None, None),
        (None, None, None),
        pytest.param(
            {"error": None, "code": 1210, "message": "no"},
            "1210",
            "no",
        ),
    ],
)
def test_code_and_message_are_found_nested_and_flat(
    body: dict[str, Any] | None, code: str | None, message: str | None
):
    assert error_of(body) == (code, message)


@pytest.mark.parametrize(
    ("value", "read"),
    [("1302", "1302"), (1302, "1302"), ("", None), (True, None), (13.0, None), (None, None)],
)
def test_an_id_or_a_code_is_text_or_digits(value: object, read: str | None):
    assert text(value) == read


def test_what_a_vendor_says_is_kept_within_bounds():
    code, message = error_of({"error": {"code": "1" * 1000, "message": "x" * 1000}})
    assert (len(code or ""), len(message or "")) == (256, 500)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "1301", "message": "no"}},
        {"error": "输入包含敏感内容"},
        {"message": "This is Unsafe."},
    ],
)
def test_content_that_a_vendor_does_not_want_is_the_callers_fault(body: dict[str, Any]):
    error = failure_of(body)
    assert (error.code, error.caller_at_fault) == ("1301", True)


def test_digits_somewhere_in_a_message_are_no_code():
    error = failure_of({"error": {"code": "17", "message": "worker 7b1301c9 died"}})
    assert (error.code, error.caller_at_fault) == ("17", False)


@pytest.mark.parametrize(
    ("body", "links"),
    [
        ({"video_result": [{"url": LINK}, {"url": f"{LINK}?2"}]}, [LINK, f"{LINK}?2"]),
        ({"video_result": {"url": LINK}}, [LINK]),
        ({"video_url": LINK}, [LINK]),
        ({"video_result": None, "video_url": LINK}, [LINK]),
        ({"video_result": [{"url": None}, {"url": LINK}, None]}, [LINK]),
        ({"video_result": [{"url": "ftp://v.example/1.mp4"}]}, []),
        ({}, []),
    ],
)
def test_videos_are_found_in_an_array_an_object_and_bare(body: dict[str, Any], links: list[str]):
    assert [video.url for video in videos_of(body, 60)] == links


def test_a_cover_that_is_no_link_costs_no_video():
    (video,) = videos_of({"video_result": [{"url": LINK, "cover_image_url": "none"}]}, 60)
    assert (video.url, video.cover_url) == (LINK, None)
