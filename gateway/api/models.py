"""The models that a key may use, and what they can do."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.requests import Request

from gateway.api.deps import Services, caller
from gateway.dialects import OPENAI
from gateway.domain.catalog import ModelSpec
from gateway.domain.errors import NotFound

# Of all models alike; OpenAI's form wants a date, and no vendor tells one.
_CREATED = 0


def router(services: Services) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v1/models", summary="the models here, in OpenAI's form, with what they can do")
    async def models(request: Request) -> JSONResponse:
        request.state.dialect = OPENAI
        caller(request, services.directory)
        offered = services.admission.offered()
        return JSONResponse({"object": "list", "data": [model_told(spec) for spec in offered]})

    @routes.get("/v1/models/{model}", summary="one of them")
    async def model(request: Request, model: str) -> JSONResponse:
        request.state.dialect = OPENAI
        caller(request, services.directory)
        for spec in services.admission.offered():
            if spec.name == model:
                return JSONResponse(model_told(spec))
        raise NotFound("there is no such model")

    return routes


def model_told(spec: ModelSpec) -> dict[str, Any]:
    return {
        "id": spec.name,
        "object": "model",
        "created": _CREATED,
        "owned_by": "zhipu",
        "price_fen": spec.price_fen,
        "capabilities": {
            "input": ["text", "image"] if spec.max_images else ["text"],
            "output": ["video"],
            "max_images": spec.max_images,
            "max_prompt_characters": spec.max_prompt_characters,
            "qualities": spec.qualities,
            "sizes": spec.sizes,
            "fps": spec.fps,
            "durations_seconds": spec.durations_seconds,
        },
    }
