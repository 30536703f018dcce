"""The control plane under /simulator: how tests and demos look in and play fate. No keys."""

import json
from dataclasses import asdict
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, HTTPException, Query, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.simulator.accounts import Account, AccountBody
from gateway.simulator.faults import AnyRule
from gateway.simulator.figures import Stats
from gateway.simulator.settings import Settings
from gateway.simulator.state import Simulator
from gateway.simulator.tasks import Task

Changes = Annotated[dict[str, Any], Body()]


class NewFaults(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rules: list[AnyRule]
    replace: bool = Field(
        default=False, description="In place of the rules there are, not after them"
    )


class Reset(BaseModel):
    model_config = ConfigDict(extra="forbid")

    everything: bool = Field(
        default=False, description="Accounts and settings too, as after the start"
    )


class End(BaseModel):
    """Which running tasks to end; one that is left out does not narrow."""

    model_config = ConfigDict(extra="forbid")

    ids: list[str] | None = None
    account: str | None = None


def router(simulator: Simulator) -> APIRouter:
    router = APIRouter(prefix="/simulator")
    _add_state(router, simulator)
    _add_accounts(router, simulator)
    _add_faults(router, simulator)
    _add_tasks(router, simulator)
    return router


def _add_state(router: APIRouter, simulator: Simulator) -> None:
    @router.get("/stats")
    async def stats() -> Stats:
        now = simulator.now()
        return Stats(
            total=simulator.vendor.total_figures(now),
            accounts=simulator.vendor.account_figures(now),
            keys=simulator.vendor.key_figures(now),
            requests=dict(simulator.requests),
        )

    @router.post("/reset")
    async def reset(what: Reset | None = None) -> Settings:
        if what is not None and what.everything:
            simulator.reset_everything()
        else:
            simulator.reset()
        return simulator.settings

    @router.get("/settings")
    async def settings() -> Settings:
        return simulator.settings

    @router.patch("/settings")
    async def change_settings(changes: Changes) -> Settings:
        try:
            new = Settings.model_validate(simulator.settings.model_dump() | changes)
        except ValidationError as error:
            raise _invalid(error) from None
        simulator.change_settings(new)
        return new


def _add_accounts(router: APIRouter, simulator: Simulator) -> None:
    def change(account: Account) -> Account:
        try:
            simulator.vendor.change_account(account, simulator.now())
        except ValueError as error:
            raise HTTPException(409, str(error)) from None
        return account

    @router.get("/accounts")
    async def accounts() -> list[Account]:
        return simulator.accounts.all()

    @router.put("/accounts/{name}")
    async def put_account(name: str, body: AccountBody) -> Account:
        return change(Account(name=name, **body.model_dump()))

    @router.patch("/accounts/{name}")
    async def patch_account(name: str, changes: Changes) -> Account:
        account = simulator.accounts.get(name)
        if account is None:
            raise HTTPException(404, f"no account {name}")
        try:
            return change(account.patched(changes))
        except ValidationError as error:
            raise _invalid(error) from None


def _add_faults(router: APIRouter, simulator: Simulator) -> None:
    def listed() -> list[dict[str, Any]]:
        return [
            armed.rule.model_dump() | {"fired": armed.fired} for armed in simulator.faults.armed
        ]

    @router.get("/faults")
    async def faults() -> list[dict[str, Any]]:
        return listed()

    @router.post("/faults")
    async def add_faults(new: NewFaults) -> list[dict[str, Any]]:
        if new.replace:
            simulator.faults.clear()
        simulator.faults.add(new.rules)
        return listed()

    @router.delete("/faults")
    async def delete_faults() -> list[dict[str, Any]]:
        simulator.faults.clear()
        return listed()


def _add_tasks(router: APIRouter, simulator: Simulator) -> None:
    @router.get("/tasks")
    async def tasks(
        account: str | None = None,
        status: Annotated[
            Literal["PROCESSING", "SUCCESS", "FAIL"] | None,
            Query(description="In bigmodel's words, whoever the vendor is"),
        ] = None,
        request_id: Annotated[str, Query(description="How it begins")] = "",
        order: Literal["newest", "oldest"] = "newest",
        after: Annotated[
            int | None, Query(description="The number of the task that the page follows")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        newest_first = order == "newest"
        chosen = (
            _shown(task, simulator)
            for task in simulator.vendor.tasks(newest_first, simulator.now())
            if (after is None or (task.number < after if newest_first else task.number > after))
            and account in (None, task.account)
            and status in (None, task.status)
            and (task.request_id or "").startswith(request_id)
        )
        return _plain(list(islice(chosen, limit)))

    @router.get("/tasks/{task_id}")
    async def task(task_id: str) -> Response:
        found = simulator.vendor.find(task_id, simulator.now())
        if found is None:
            raise HTTPException(404, f"no task {task_id}")
        return _plain(_shown(found, simulator))

    @router.post("/end")
    async def end(which: End | None = None) -> dict[str, int]:
        which = which or End()
        ids = None if which.ids is None else set(which.ids)
        ended = simulator.vendor.end_now(
            lambda task: (ids is None or task.id in ids) and which.account in (None, task.account),
            simulator.now(),
        )
        return {"ended": ended}

    @router.get("/refusals")
    async def refusals() -> Response:
        return _plain([asdict(refusal) for refusal in reversed(simulator.refusals)])


def _shown(task: Task, simulator: Simulator) -> dict[str, object]:
    return {
        "id": task.id,
        "number": task.number,
        "account": task.account,
        "vendor": task.vendor,
        "api_key": task.order.api_key,
        "model": task.order.model,
        "request_id": task.request_id,
        "status": task.status,
        "body": task.order.body,
        "accepted_at": simulator.epoch(task.accepted_at),
        "ends_at": simulator.epoch(task.ends_at),
        "told_at": None if task.told_at is None else simulator.epoch(task.told_at),
        "looks": task.looks,
        "look_times": [simulator.epoch(at) for at in task.look_times],
    }


def _plain(data: object) -> Response:
    """What clients sent, back as they sent it: nothing to be checked on the way out."""
    return Response(json.dumps(data), media_type="application/json")


def _invalid(error: ValidationError) -> RequestValidationError:
    return RequestValidationError(error.errors(include_url=False, include_context=False))
