"""What every vendor's submit and look have in common: whatever happens becomes an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.domain.provider_answers import (
    Accepted,
    LookAnswer,
    Lost,
    Refused,
    Rest,
    Running,
    SubmitAnswer,
)
from gateway.providers.http import Answer, BeforeBytes, NoAnswer, NotSent, ProviderHttp
from gateway.providers.reading import text


async def submitted(
    http: ProviderHttp,
    url: str,
    api_key: str,
    body: dict[str, Any],
    before_bytes: BeforeBytes,
    *,
    id_field: str,
    refusal: Callable[[Answer], SubmitAnswer],
) -> SubmitAnswer:
    """POST a task. An id in `id_field` says that it is accepted; `refusal` judges all else."""
    try:
        answer = await http.submit(url, api_key, body, before_bytes)
    except NotSent as error:
        return Refused(f"not reached: {error}", Rest.UNREACHABLE)
    except NoAnswer as error:
        return Lost(str(error))
    told = answer.body or {}
    provider_task_id = text(told.get(id_field))
    if 200 <= answer.status < 300 and provider_task_id:
        return Accepted(provider_task_id, text(told.get("model")))
    return refusal(answer)


async def looked(
    http: ProviderHttp,
    url: str,
    api_key: str,
    *,
    state: Callable[[dict[str, Any] | None], LookAnswer],
    refusal: Callable[[Answer], LookAnswer],
) -> LookAnswer:
    """GET a task's state. No answer, or half of one, means that it is as it was."""
    try:
        answer = await http.look(url, api_key)
    except (NotSent, NoAnswer) as error:
        return Running(doubt=str(error))
    return state(answer.body) if answer.status == 200 else refusal(answer)
