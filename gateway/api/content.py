"""The file behind a video: streamed through as it comes from the vendor, never stored."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi.responses import Response, StreamingResponse
from starlette.requests import Request

from gateway.api.deps import Services, own_task
from gateway.domain.errors import InvalidField, NotSupported
from gateway.domain.ports import MediaStream
from gateway.lifecycle.content import Variant


async def content(services: Services, request: Request, task_id: str) -> Response:
    """The video, or its cover with `?variant=thumbnail`; HEAD tells what a GET would bring."""
    task = (await own_task(services, request, task_id)).as_told()
    variant = _variant(request.query_params.get("variant", Variant.VIDEO))
    stream = await services.content.open(task, variant, request.headers.get("range"))
    headers = _headers(stream, task_id, variant)
    if getattr(request.state, "head_only", False):
        # A link is signed for GET alone, so that is what was sent; its body is not read.
        await stream.aclose()
        return Response(status_code=stream.status, headers=headers)
    return StreamingResponse(_passed_on(stream), stream.status, headers)


def _variant(name: str) -> Variant:
    if name == "spritesheet":
        raise NotSupported("spritesheet: the models here make none", param="variant")
    if name not in list(Variant):
        raise InvalidField("variant must be video or thumbnail", param="variant")
    return Variant(name)


def _headers(stream: MediaStream, task_id: str, variant: Variant) -> dict[str, str]:
    """What the vendor says of the file. Of a video we know the type better than some servers."""
    headers = {name: value for name, value in stream.headers.items() if name != "content-type"}
    kind, ending = "video/mp4", "mp4"
    if variant is Variant.THUMBNAIL:
        kind = stream.headers.get("content-type", "")
        # Never a page: whatever it is, it comes from our own address.
        kind = kind if kind.startswith("image/") and "svg" not in kind else "image/jpeg"
        ending = kind.partition("/")[2].partition(";")[0]
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
