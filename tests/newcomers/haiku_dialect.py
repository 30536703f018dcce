"""A wire format that nobody speaks: three lines ask for a film, and its state is a season."""

from __future__ import annotations

from typing import Any

from gateway.dialects.contract import Body, Dialect, Operation, Route, Told
from gateway.dialects.fields import read_object, read_values, submission_of
from gateway.domain.errors import GatewayError, InvalidField
from gateway.domain.submission import Submission
from gateway.domain.task import Status

_SEASONS = {
    Status.QUEUED: "winter",
    Status.CLAIMED: "winter",
    Status.SENDING: "spring",
    Status.UNKNOWN: "spring",
    Status.IN_PROGRESS: "spring",
    Status.COMPLETED: "summer",
    Status.FAILED: "autumn",
    Status.CANCELLED: "autumn",
}


class HaikuDialect(Dialect):
    name = "haiku"
    routes = (
        Route("POST", "/haiku/films", Operation.CREATE, "ask for a film in three lines"),
        Route("GET", "/haiku/films/{task_id}", Operation.RETRIEVE, "which season it is"),
    )

    def parse(self, body: Body) -> tuple[Submission, Dialect]:
        said = read_object(body.content)
        lines = said.pop("lines", None)
        if not isinstance(lines, list) or len(lines) != 3:
            raise InvalidField("lines must be three", param="lines")
        said["prompt"] = "\n".join(map(str, lines))
        return submission_of(read_values(said), waits=False), self

    def task(self, told: Told) -> dict[str, Any]:
        body: dict[str, Any] = {"film": told.task.id, "season": _SEASONS[told.task.status]}
        if told.videos:
            body["blossom"] = told.videos[0].url
        if told.task.error:
            body["frost"] = told.task.error.message
        return body

    def error(self, error: GatewayError) -> tuple[int, str]:
        return error.status, f"leaf_{error.code}"
