"""A request for a video and the video itself, free of any wire format."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRequest:
    """What a caller wants made. None means "not said": the vendor's own default applies.

    `images` holds no, one (the first frame) or two (first and last frame) pictures, each an
    http(s) URL or a `data:image/png;base64,...` URI whose bytes were checked.
    """

    model: str
    prompt: str | None = None
    images: tuple[str, ...] = ()
    quality: str | None = None
    with_audio: bool | None = None
    watermark: bool | None = None
    size: str | None = None
    fps: int | None = None
    duration_seconds: int | None = None
    user_id: str | None = None
    client_request_id: str | None = None
    """The caller's own `request_id`: echoed to the caller, never sent to a vendor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A finished video, as links that the vendor serves."""

    url: str
    cover_url: str | None = None
