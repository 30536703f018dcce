"""The file behind a video: streamed through as it comes from the vendor, never stored."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from fastapi.responses import Response, StreamingResponse
from starlette.requests import Request

from gateway.api.deps import Services, own_task
from gateway.domain.errors import InvalidField, NotSupported
from gateway.domain.ports import MediaStream
from gateway.domain.task import Task
from gateway.lifecycle.content import Variant

# Whatever else is asked for gets the whole file, as RFC 9110 (14.2) has it: several ranges come in
# an envelope that no player reads, and what is no range at all is not the file server's business.
_ONE_RANGE = re.compile(r"bytes=(?:\d{1,18}-\d{0,18}|-\d{1,18})", re.ASCII)
_PICTURE = re.compile(r"image/[a-z0-9.-]+", re.ASCII)


async def content(services: Services, request: Request, task_id: str) -> Response:
    """The video, or its cover with `?variant=thumbnail`; HEAD tells what a GET would bring."""
    return await content_of(services, request, await own_task(services, request, task_id))


async def content_of(services: Services, request: Request, task: Task) -> Response:
    """The same of a task that may be seen."""
    task, task_id = task.as_told(), task.id
    variant = _variant(request.query_params.get("variant", Variant.VIDEO))
    asked = request.headers.get("range", "").strip()
    byte_range = asked if _ONE_RANGE.fullmatch(asked) else None
    stream = await services.content.open(task, variant, byte_range)
    headers = _headers(stream, task_id, variant)
    if getattr(request.state, "head_only", False):
        # A link is signed for GET alone, so that is what was sent; its body is not read.
        await stream.aclose()
        head = Response(status_code=stream.status, headers=headers)
        if "content-length" not in headers:
            del head.headers["content-length"]
        return head
    return StreamingResponse(_passed_on(stream), stream.status, headers)


def _variant(name: str) -> Variant:
    if name == "spritesheet":
        raise NotSupported("spritesheet: the models here make none", param="variant")
    if name not in list(Variant):
        raise InvalidField("variant must be video or thumbnail", param="variant")
    return Variant(name)


def _headers(stream: MediaStream, task_id: str, variant: Variant) -> dict[str, str]:
    """What the vendor says of the file. Of a video we know the type better than some servers."""
    # Servers say all kinds of things in headers, and not all of them may be said again.
    told = {name: value for name, value in stream.headers.items() if value.isascii()}
    headers = {name: value for name, value in told.items() if name != "content-type"}
    kind, ending = "video/mp4", "mp4"
    if variant is Variant.THUMBNAIL:
        kind = told.get("content-type", "").partition(";")[0].strip().lower()
        # Never a page: whatever it is, it comes from our own address.
        kind = kind if _PICTURE.fullmatch(kind) else "image/jpeg"
        ending = kind.partition("/")[2]
    headers["content-type"] = kind
    headers["content-disposition"] = f'inline; filename="{task_id}.{ending}"'
    headers["x-content-type-options"] = "nosniff"
    return headers


async def _passed_on(stream: MediaStream) -> AsyncIterator[bytes]:
    try:
        async for chunk in stream.chunks():
            yield chunk
    finally:
        await stream.aclose()
