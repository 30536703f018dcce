"""How far a running task is thought to be."""

from __future__ import annotations

from gateway.domain.durations import GUESS, Expectation, form_of
from gateway.domain.video import VideoRequest


def test_progress_only_goes_on_and_never_says_that_it_is_over():
    expected = Expectation((30.0, 40.0, 60.0, 200.0))
    told = [expected.progress(seconds) for seconds in range(-1, 400)]
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 99)
    assert expected.progress(30) < 80 < expected.progress(60)


def test_without_knowledge_a_minute_is_assumed():
    assert [GUESS.progress(seconds) for seconds in (0, 30, 60)] == [0, 50, 99]
    assert GUESS.seconds == 60


def test_a_duration_is_that_of_a_size_a_quality_and_a_length():
    request = VideoRequest(
        model="cogvideox-3", prompt="a cat", size="1920x1080", quality="speed", duration_seconds=5
    )
    assert form_of(request) == "1920x1080:speed:5"
    assert form_of(VideoRequest(model="cogvideox-3", fps=60)) == "-:-:-"
