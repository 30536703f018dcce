"""What a team and a key used, and what their budgets still have, told to themselves."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.requests import Request

from gateway.api.deps import Services, caller
from gateway.api.usage_params import described, params
from gateway.api.usage_telling import budget_told, own_told, span_told
from gateway.domain.usage_query import read_span, require_full_hours
from gateway.lifecycle.usage_reports import BudgetState, OwnUsage, UsageReports

_PARAMETERS = ("from", "to")


def router(services: Services, reports: UsageReports) -> APIRouter:
    routes = APIRouter()

    @routes.get(
        "/v1/usage",
        summary="what your team and your key used, and what their budgets have left",
        description="Of whole hours, for as long as their sums are kept.",
        openapi_extra={"parameters": described(_PARAMETERS)},
    )
    async def usage(request: Request) -> JSONResponse:
        who = caller(request, services.directory)
        said = params(request, _PARAMETERS)
        span = read_span(said.get("from"), said.get("to"), reports.zone, datetime.now(UTC))
        require_full_hours(span, reports.zone)
        own = await reports.own(who, span)
        return JSONResponse(
            {
                "team": who.team.name,
                "key": who.key.id,
                **span_told(span, reports.zone),
                "usage": {"team": own_told(own.team), "key": own_told(own.key)},
                "budgets": _budgets(own),
            }
        )

    return routes


def _budgets(own: OwnUsage) -> dict[str, dict[str, object]]:
    """Of the current day and month, and in all."""

    def told(budgets: list[BudgetState]) -> dict[str, object]:
        return {budget.period: budget_told(budget) for budget in budgets}

    return {"team": told(own.team_budgets), "key": told(own.key_budgets)}
