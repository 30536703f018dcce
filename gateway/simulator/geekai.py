"""geekai's three routes, under /api/v1, as documented for CogVideoX-3.

https://docs.geekai.co/cn/api/video/generations, https://docs.geekai.co/cn/api/video/retrieval,
https://docs.geekai.co/cn/docs/video/txt2video and https://docs.geekai.co/en/docs/error_codes

What these leave open is settled so: the code of an error repeats its HTTP status; images are URLs,
not base64; no bound on the prompt's length; a blocking submit whose task fails says so with HTTP
200, as a look does. `retries` is judged and not played: a task that is to fail, fails.
"""

import asyncio
import uuid
from functools import partial

from starlette.routing import Route

from gateway.simulator import faults
from gateway.simulator.connection import Answer, Client, Held
from gateway.simulator.dialect import Dialect, reason
from gateway.simulator.errors import Envelope, Reason, Refusal, VendorError
from gateway.simulator.media import links
from gateway.simulator.parameters import Schema, flag, one_of, one_or_two, text, url
from gateway.simulator.state import Simulator
from gateway.simulator.tasks import Task
from gateway.simulator.vendor import Vendor
from gateway.simulator.wire import Look, Submit

PREFIX = "/api/v1"
SIZES = (
    "720x480",
    "1024x1024",
    "1280x960",
    "960x1280",
    "1920x1080",
    "1080x1920",
    "2048x1080",
    "3840x2160",
)

_WORDS = {
    400: "Invalid parameters",
    401: "Invalid API key",
    402: "Insufficient balance",
    403: "No permission",
    404: "Not found",
    413: "Request too large",
    429: "Too many requests",
    500: "Internal error",
    503: "Service busy",
    504: "Timed out",
}

_STATUSES = {
    Reason.NO_KEY: 401,
    Reason.NOT_BEARER: 401,
    Reason.UNKNOWN_KEY: 401,
    Reason.ARREARS: 402,
    Reason.BODY_TOO_LARGE: 413,
    Reason.OVER_LIMIT: 429,
    Reason.NO_SUCH_TASK: 404,
    Reason.NO_SUCH_PATH: 404,
}
"""Whatever is not here is the parameters' fault."""


def routes(simulator: Simulator) -> list[Route]:
    dialect = GeekAI(simulator)
    return [
        Route(f"{PREFIX}/videos/generations", Submit(dialect), methods=["POST"]),
        Route(f"{PREFIX}/videos/{{id}}", Look(dialect), methods=["GET"]),
        # The path of older pages, which works on.
        Route(f"{PREFIX}/video/{{id}}/result", Look(dialect), methods=["GET"]),
    ]


def _count(value: object) -> str | None:
    return None if type(value) is int and value >= 0 else "is not a number from 0"


def _object(value: object) -> str | None:
    return None if isinstance(value, dict) else "is not an object"


class GeekAI(Dialect):
    vendor = "geekai"
    running = "running"
    schema = Schema(
        {
            "model": text,
            "prompt": text,
            "image": one_or_two(url),
            "with_audio": flag,
            "size": one_of(*SIZES),
            "quality": one_of("speed", "quality"),
            "duration": one_of(5, 10),
            "fps": one_of(30, 60),
            "watermark": flag,
            "async": flag,
            "retries": _count,
            "extra_body": _object,
        },
        one_of=("prompt",),
    )

    @property
    def envelope(self) -> Envelope:
        return self.simulator.settings.geekai_envelope

    def refusal(self, error: VendorError) -> Refusal:
        status = _STATUSES.get(error.reason, 400)
        return Refusal(status, str(status), error.worded(_WORDS[status]))

    def fault(self, rule: faults.ErrorAnswer) -> Refusal:
        known = int(rule.code) if rule.code and int(rule.code) in _WORDS else 500
        status = rule.status or known
        message = _WORDS.get(status, _WORDS[500]) if rule.message is None else rule.message
        return Refusal(status, rule.code or str(status), message)

    def accepted(self, client: Client, vendor: Vendor, task: Task) -> Answer:
        if task.order.body.get("async"):
            return Answer.of(self.with_status(task, "pending"))
        outcome = partial(self._outcome, client, vendor, task)
        return Answer(200, b"", held=Held(self._end(vendor, task), outcome))

    def with_status(self, task: Task, word: str) -> dict[str, object]:
        return {"model": task.order.model, "task_id": task.id, "task_status": word}

    def told(self, client: Client, task: Task) -> dict[str, object]:
        settings = self.simulator.settings
        if task.status == "SUCCESS":
            body = self.with_status(task, settings.geekai_success)
            return body | {"video_result": self._video(client, task)}
        if task.status == "FAIL" and task.failure is not None:
            return self.with_status(task, "failed") | reason(task.failure, "error_object")
        return self.with_status(task, self.running)

    def _video(self, client: Client, task: Task) -> object:
        signed = links(self.simulator, task, client.base_url)
        # The video has an id of its own, the same at every look.
        video_id = str(uuid.uuid5(uuid.UUID(task.id), "video"))
        if self.simulator.settings.geekai_result == "object":
            return {"id": video_id, **signed}
        return [{"id": video_id, "url": signed["url"]}]

    def _outcome(self, client: Client, vendor: Vendor, task: Task) -> Answer:
        vendor.tell(task, self.simulator.now())
        return Answer.of(self.told(client, task))

    def _end(self, vendor: Vendor, task: Task) -> asyncio.Future[None]:
        """What a blocking submit waits for; a reset does not bring it nearer."""
        loop = asyncio.get_running_loop()
        end: asyncio.Future[None] = loop.create_future()
        task.on_end = partial(end.set_result, None)
        # The vendor ends tasks when it is asked something; here nobody may ask.
        loop.call_later(task.ends_at - self.simulator.now(), vendor.advance, task.ends_at)
        return end
