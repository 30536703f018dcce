"""What our figures stand beside: the least that FastAPI, and uvicorn alone, can do.

python -m bench.baselines fastapi|uvicorn
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

ANSWER = {
    "id": "task_0123456789abcdef0123456789abcdef",
    "task_id": "task_0123456789abcdef0123456789abcdef",
    "model": "cogvideox-3",
    "request_id": "task_0123456789abcdef0123456789abcdef",
    "task_status": "PROCESSING",
}


def fastapi_app() -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.post("/v1/videos/generations")
    async def create(request: Request) -> JSONResponse:
        json.loads(await request.body())
        return JSONResponse(ANSWER)

    @app.get("/v1/async-result/{task_id}")
    async def retrieve(task_id: str) -> JSONResponse:
        return JSONResponse(ANSWER)

    return app


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    body = json.dumps(ANSWER).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    app: Any = fastapi_app() if sys.argv[1] == "fastapi" else asgi_app
    listening = socket.create_server(("127.0.0.1", 0))
    print(f"listening on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
