"""A vendor that there is not: takes orders, forges films, and says by the stage how far it is."""

from __future__ import annotations

import time
from typing import Any

from gateway.domain.account import Account, ApiKey
from gateway.domain.provider_answers import (
    Accepted,
    Failed,
    KeyRefused,
    LookAnswer,
    Lost,
    Missing,
    Refused,
    Rest,
    Running,
    SubmitAnswer,
    Succeeded,
)
from gateway.domain.task import TaskError
from gateway.domain.video import Video, VideoRequest
from gateway.providers.http import BeforeBytes, NoAnswer, NotSent, ProviderHttp
from gateway.providers.reading import text
from gateway.providers.verdicts import by_status

_LINKS_LIVE_SECONDS = 3600


class Tin:
    """Fits the port `Provider`."""

    def __init__(self, http: ProviderHttp) -> None:
        self._http = http

    async def submit(
        self,
        account: Account,
        key: ApiKey,
        request_id: str,
        request: VideoRequest,
        before_bytes: BeforeBytes,
    ) -> SubmitAnswer:
        url = f"{account.base_url}/orders"
        try:
            answer = await self._http.submit(url, key.secret, order(request), before_bytes)
        except NotSent as error:
            return Refused(f"not reached: {error}", Rest.UNREACHABLE)
        except NoAnswer as error:
            return Lost(str(error))
        body = answer.body or {}
        number = text(body.get("number"))
        if answer.status == 201 and number:
            return Accepted(number)
        return by_status(answer.status).answer(f"tin_{answer.status}", str(body.get("why")))

    async def look(self, account: Account, key: ApiKey, provider_task_id: str) -> LookAnswer:
        try:
            answer = await self._http.look(
                f"{account.base_url}/orders/{provider_task_id}", key.secret
            )
        except (NotSent, NoAnswer) as error:
            return Running(doubt=str(error))
        if answer.status in (401, 404):
            return KeyRefused("401") if answer.status == 401 else Missing("404")
        return _read(answer.body or {})


def cannot_express(request: VideoRequest) -> str | None:
    """Fits `CannotExpress`: tin films are as fast as they are."""
    return "fps" if request.fps else None


def order(request: VideoRequest) -> dict[str, Any]:
    said = {
        "alloy": request.model,
        "scene": request.prompt,
        "stills": list(request.images) or None,
        "width_x_height": request.size,
        "length": request.duration_seconds,
        "hallmark": request.watermark,
    }
    return {name: value for name, value in said.items() if value is not None}


def _read(body: dict[str, Any]) -> LookAnswer:
    match body:
        case {"stage": "forge"}:
            return Running()
        case {"stage": "shipped", "film": str(link)}:
            expires = int(time.time()) + _LINKS_LIVE_SECONDS
            return Succeeded((Video(url=link, expires_at=expires),))
        case {"stage": "scrap", "why": str(why)}:
            return Failed(TaskError(code="tin_scrap", message=why))
        case _:
            return Running(doubt="the vendor's answer cannot be read")
