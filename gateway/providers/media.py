"""The files behind a result's links, read as they are passed on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from gateway.domain.errors import ContentUnavailable

_CHUNK_BYTES = 64 * 1024
_SECONDS_BETWEEN_CHUNKS = 30.0
_TOLD = ("content-length", "content-range", "accept-ranges", "etag", "last-modified")


@dataclass(frozen=True, slots=True)
class HttpMediaStream:
    """Fits the port `MediaStream`."""

    response: httpx.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def headers(self) -> dict[str, str]:
        told = self.response.headers
        return {name: told[name] for name in (*_TOLD, "content-type") if name in told}

    def chunks(self) -> AsyncIterator[bytes]:
        return self.response.aiter_raw(_CHUNK_BYTES)

    async def aclose(self) -> None:
        await self.response.aclose()


class HttpMedia:
    """Fits the port `Media`. Sends no key: a link opens by itself."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def open(self, url: str, byte_range: str | None) -> HttpMediaStream:
        # Uncompressed, or the length that the server tells would be that of other bytes.
        headers = {"Accept-Encoding": "identity"} | ({"Range": byte_range} if byte_range else {})
        try:
            request = self._client.build_request("GET", url, headers=headers)
            response = await self._client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ContentUnavailable(
                f"the vendor's file server does not answer ({type(error).__name__})"
            ) from error
        return HttpMediaStream(response)


@asynccontextmanager
async def open_media() -> AsyncIterator[HttpMedia]:
    """Open the client for files; redirects between file servers are followed."""
    timeout = httpx.Timeout(_SECONDS_BETWEEN_CHUNKS, connect=5.0)
    # As many as there are readers: slow ones must not keep others waiting for a connection.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    async with httpx.AsyncClient(
        timeout=timeout, limits=limits, follow_redirects=True, max_redirects=3
    ) as client:
        yield HttpMedia(client)
