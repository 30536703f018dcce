"""`/admin/usage`: what was used, the entries behind it, and the bills. A team's own viewer sees its
team, and of others nothing but that there is no such team."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.requests import Request

from gateway.api import usage_telling as telling
from gateway.api.admin.deps import AdminServices, guard_for_teams, operator, visible
from gateway.api.admin.usage_documented import ENTRIES, STATEMENT, SUMS, UNKNOWN
from gateway.api.usage_params import one_of, params
from gateway.domain.errors import MissingField, NotFound
from gateway.domain.usage import SUMMED
from gateway.domain.usage_query import Query, read_month, read_query, read_zone
from gateway.lifecycle.usage_reports import UsageReports

_CSV = "text/csv; charset=utf-8"
_JSONL = "application/jsonl; charset=utf-8"


def router(services: AdminServices) -> APIRouter:
    reports = services.usage
    guard = Depends(guard_for_teams(services))
    routes = APIRouter(prefix="/admin/usage", dependencies=[guard])

    @routes.get("", **SUMS.route)
    async def sums(request: Request) -> Response:
        said = params(request, SUMS.parameters)
        form, query = one_of(said, SUMS.formats), _query(request, said, reports)
        rows = await reports.sums(query)
        if form == "json":
            return JSONResponse(telling.sums_told(query, rows))
        told = [telling.row_told(query, group, each) for group, each in rows]
        return _file(telling.table_csv((*query.group_by, *SUMMED), told), "usage.csv")

    @routes.get("/entries", **ENTRIES.route)
    async def entries(request: Request) -> Response:
        said = params(request, ENTRIES.parameters)
        form, query = one_of(said, ENTRIES.formats), _query(request, said, reports)
        await reports.check_entries(query)
        write = telling.entries_csv if form == "csv" else telling.entries_jsonl
        lines = write(reports.entries(query), query.zone)
        media = _CSV if form == "csv" else _JSONL
        return StreamingResponse(lines, media_type=media, headers=_named(f"entries.{form}"))

    @routes.get("/unknown", **UNKNOWN.route)
    async def unknown(request: Request) -> Response:
        said = params(request, UNKNOWN.parameters)
        form, query = one_of(said, UNKNOWN.formats), _query(request, said, reports)
        await reports.check_entries(query)
        rows = [telling.unknown_told(each, query.zone) for each in await reports.unknown(query)]
        if form == "csv":
            return _file(telling.table_csv(telling.UNKNOWN_COLUMNS, rows), "unknown.csv")
        return JSONResponse({**telling.span_told(query.span, query.zone), "tasks": rows})

    @routes.get("/statement", **STATEMENT.route)
    async def statement(request: Request) -> Response:
        said = params(request, STATEMENT.parameters)
        form = one_of(said, STATEMENT.formats)
        zone = read_zone(said.get("time_zone"), reports.zone)
        month = read_month(said.get("month"), zone, datetime.now(UTC))
        team = _own_team(request, said)
        if team is None:
            raise MissingField("team is missing: whose bill?", param="team")
        bill = await reports.statement(team, month, zone)
        if form == "csv":
            return _file(telling.statement_csv(bill), f"{team}-{month}.csv")
        if form == "text":
            return PlainTextResponse(telling.statement_text(bill))
        return JSONResponse(telling.statement_told(bill))

    return routes


def _query(request: Request, said: dict[str, str], reports: UsageReports) -> Query:
    """What is asked, within what the operator may see."""
    query = read_query(said, reports.zone, datetime.now(UTC))
    team = _own_team(request, said)
    of = dict(query.of) if team is None else {**query.of, "team": team}
    return Query(query.span, query.zone, of, query.group_by)


def _own_team(request: Request, said: dict[str, str]) -> str | None:
    """The team that is asked about; a team's viewer asks about its own.

    Raises:
        NotFound: about another.
    """
    team = said.get("team", operator(request).team)
    if team is not None and not visible(request, team):
        raise NotFound("there is no such team")
    return team


def _file(text: str, name: str) -> Response:
    return Response(text, media_type=_CSV, headers=_named(name))


def _named(name: str) -> dict[str, Any]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
