"""Step 1: let a request in as a task, or refuse it before it costs anything."""

from __future__ import annotations

import logging
from collections.abc import Collection

from gateway.domain.catalog import Catalog
from gateway.domain.errors import AdmissionUnanswered, NoAccount, StoreUnavailable
from gateway.domain.ports import Tasks
from gateway.domain.task import Claim, Task, new_task_id
from gateway.domain.team import Team
from gateway.domain.video import VideoRequest

log = logging.getLogger(__name__)


class Admission:
    """Turns a request into a durable task that is claimed or queued."""

    def __init__(self, catalog: Catalog, tasks: Tasks, providers: Collection[str]) -> None:
        self._catalog = catalog
        self._tasks = tasks
        self._providers = providers

    async def admit(self, team: Team, request: VideoRequest) -> tuple[Task, tuple[Claim, ...]]:
        """Return the task and the claims that the free slots gave; one of them may be its own.

        Raises:
            InvalidRequest: the model, or what is asked of it, is not to be had.
            NoAccount: no account is configured at any vendor that offers the model.
            AdmissionUnanswered: nothing is admitted without the store's word.
        """
        spec = self._catalog.find(request.model)
        spec.check(request)
        able = [name for name in spec.providers if name in self._providers]
        if not able:
            raise NoAccount(f"no account is configured that could make {spec.name}")
        task_class = f"{spec.name}@{'+'.join(able)}"
        try:
            task, claims = await self._tasks.admit(
                new_task_id(), team.name, request, task_class, spec.price_fen
            )
        except StoreUnavailable as error:
            raise AdmissionUnanswered(error.message) from error
        log.info("task %s of %s %s (%s)", task.id, team.name, task.status, task_class)
        return task, claims
