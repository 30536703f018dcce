"""What a dialect is: the paths that it serves, and its words for requests, tasks and errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from gateway.domain.errors import GatewayError
from gateway.domain.submission import Submission
from gateway.domain.task import Task
from gateway.domain.video import Video


class Operation(StrEnum):
    """What is done at a path. The API has one way of doing each, for all dialects."""

    CREATE = "create"
    RETRIEVE = "retrieve"
    LIST = "list"
    DELETE = "delete"
    CANCEL = "cancel"
    """Ours alone: no vendor documents a way to cancel."""
    CONTENT = "content"
    REFUSE = "refuse"
    """Exists in the client's world, and none of our models can do it."""


@dataclass(frozen=True, slots=True)
class Route:
    """One path. Those about a task have `{task_id}` in them."""

    method: str
    path: str
    operation: Operation
    summary: str
    """For the reference, one sentence without a full stop."""
    examples: Mapping[str, Mapping[str, Any]] | None = None
    """By name, bodies that a person can send as they are."""
    listed: bool = True
    """Whether the reference shows it; spellings that differ from another only by a prefix are
    served and not shown."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a client sent: at most as many bytes as the settings allow."""

    content: bytes
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A task at the moment at which its caller is told of it."""

    task: Task
    """As its caller reads it: cancelled from the moment at which it was asked to be."""
    progress: int
    """0 to 100, from what is known of durations; 100 only when it is completed."""
    videos: tuple[Video, ...]
    """With links that work: where the vendor's has died it is ours, which knows what to do."""


class Dialect(ABC):
    """A wire format. It speaks only its own words, and meets neither HTTP nor the store."""

    name: ClassVar[str]
    routes: tuple[Route, ...]

    @abstractmethod
    def parse(self, body: Body) -> tuple[Submission, Dialect]:
        """Read a request. Also says in whose words it wants to be answered, usually one's own.

        Raises:
            InvalidRequest: with the field named.
        """

    @abstractmethod
    def task(self, told: Told) -> dict[str, Any]:
        """The body that tells of a task, whether it was just made or asked for."""

    @abstractmethod
    def error(self, error: GatewayError) -> tuple[int, str]:
        """The HTTP status and the code for an error; the envelope is the same for all."""

    def page(self, tasks: Sequence[Told], *, more: bool) -> dict[str, Any]:
        """The body of a list, in OpenAI's form: no other vendor has one."""
        return {
            "object": "list",
            "data": [self.task(told) for told in tasks],
            "first_id": tasks[0].task.id if tasks else None,
            "last_id": tasks[-1].task.id if tasks else None,
            "has_more": more,
        }

    def deleted(self, task_id: str) -> dict[str, Any]:
        """The body that confirms a deletion, in OpenAI's form as well."""
        return {"id": task_id, "object": "video.deleted", "deleted": True}
