"""When a link dies: as it says itself, else after the vendor's usual time."""

from __future__ import annotations

import pytest

from gateway.providers.links import expiry

NOW = 1_800_000_000.9
USUAL = 86400.0
USUALLY = 1_800_086_400


@pytest.mark.parametrize(
    ("link", "expires"),
    [
        ("https://v.example/1.mp4?Expires=1800003600", 1_800_003_600),
        ("https://v.example/1.mp4?Signature=a%3D&Expires=1800003600&x=1", 1_800_003_600),
        ("https://v.example/1.mp4?Expires=1700000000", 1_700_000_000),
    ],
)
def test_a_link_that_says_when_it_dies_is_believed(link: str, expires: int):
    assert expiry(link, NOW, USUAL) == expires


@pytest.mark.parametrize(
    "link",
    [
        "https://v.example/1.mp4",
        "https://v.example/Expires=1800003600/1.mp4",
        "https://v.example/1.mp4#Expires=1800003600",
        "https://v.example/1.mp4?Expires=",
        "https://v.example/1.mp4?Expires=soon",
        "https://v.example/1.mp4?Expires=-1",
        "https://v.example/1.mp4?Expires=1800003600.5",
        "https://v.example/1.mp4?Expires=1800003600000",
    ],
)
def test_every_other_link_lives_for_the_usual_time(link: str):
    assert expiry(link, NOW, USUAL) == USUALLY


def test_a_link_that_is_no_url_has_the_usual_time_and_breaks_no_look():
    assert expiry("https://[v.example/1.mp4", NOW, USUAL) == USUALLY


def test_a_number_of_seconds_to_live_is_no_time_in_1970():
    assert expiry("https://v.example/1.mp4?Expires=3600", NOW, USUAL) > NOW
