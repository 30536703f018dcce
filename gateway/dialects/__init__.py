"""Wire formats that our clients speak. A new one is a file here and a line in the tuple below."""

from __future__ import annotations

from typing import Any, Protocol

from gateway.dialects.bigmodel import BigModelDialect
from gateway.domain.errors import GatewayError
from gateway.domain.submission import Submission
from gateway.domain.task import Task


class Dialect(Protocol):
    """Turns bytes into a request and a task into a body, and has its own codes for our errors."""

    @property
    def name(self) -> str: ...

    @property
    def create_path(self) -> str: ...

    @property
    def retrieve_path(self) -> str:
        """With `{task_id}` in it."""
        ...

    def parse(self, body: bytes) -> Submission:
        """Read a request; raises InvalidRequest with the field named."""
        ...

    def created(self, task: Task) -> dict[str, Any]: ...

    def retrieved(self, task: Task) -> dict[str, Any]: ...

    def error_code(self, error: GatewayError) -> str: ...


UNIFIED: Dialect = BigModelDialect("unified", prefix="/v1")
DIALECTS: tuple[Dialect, ...] = (BigModelDialect("bigmodel", prefix="/api/paas/v4"), UNIFIED)
