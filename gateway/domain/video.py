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
    retries: int | None = None
    """How often a vendor that can is to try again by itself; never 0, which says nothing."""
    client_request_id: str | None = None
    """The caller's own `request_id`: echoed to the caller, never sent to a vendor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A finished video, as links that the vendor serves."""

    url: str
    cover_url: str | None = None
    expires_at: int | None = None
    """When the links die, in Unix seconds; None if nobody knows."""

    def dead(self, now_seconds: float) -> bool:
        """Whether the links have died by that time."""
        return self.expires_at is not None and self.expires_at <= now_seconds
