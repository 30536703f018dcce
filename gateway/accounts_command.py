"""`gateway accounts`: what the admin API does, at the keyboard, also while no gateway runs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, Literal

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.api.admin.telling import account_told, result_told, time_told
from gateway.bootstrap import Pool, open_key_test, read_pool, store_url
from gateway.domain.account import AccountState
from gateway.domain.capacity import AccountCapacity, Condition, KeyCapacity, KeyCondition
from gateway.domain.errors import Conflict, NotFound
from gateway.keyboard import existing_store, operator, print_whole
from gateway.lifecycle.account_changes import AccountChanges
from gateway.lifecycle.account_import import PREFIX, AccountImport
from gateway.lifecycle.key_test import KeyTested, Verdict
from gateway.settings import Settings

_STATES = {"pause": AccountState.PAUSED, "drain": AccountState.DRAINING, "resume": None}


async def show_all(settings: Settings, *, as_json: bool) -> None:
    """Print a table of all accounts, and below it what needs a person."""
    async with _pool(existing_store(settings), settings) as pool:
        accounts = (await pool.capacity.read()).accounts
    if as_json:
        _print_json({"accounts": [account_told(account) for account in accounts]})
        return
    console = Console()
    print_whole(console, _table(accounts))
    for account in accounts:
        for line in _remarks(account):
            console.print(line, highlight=False, markup=False, soft_wrap=True)


async def show_one(settings: Settings, name: str, *, as_json: bool) -> None:
    """Print one account, field by field."""
    async with _pool(existing_store(settings), settings) as pool:
        account = (await pool.capacity.read()).account(name)
    if account is None:
        raise NotFound("there is no such account")
    told = account_told(account)
    if as_json:
        _print_json(told)
        return
    for field, value in told.items():
        if isinstance(value, list):
            for each in value:
                shown = ", ".join(f"{k} {v}" for k, v in each.items() if v is not None)
                click.echo(f"{field.removesuffix('s')}: {shown}")
        elif value not in (None, {}):
            click.echo(f"{field}: {value}")


async def add(settings: Settings, said: dict[str, Any]) -> None:
    """Keep a new account. It may be the first: a store that is not there yet is made."""
    async with _pool(store_url(settings), settings) as pool:
        name = await AccountChanges(pool.accounts).add(said, who=operator())
        await _tell(pool, name)


async def change(settings: Settings, name: str, changes: dict[str, Any]) -> None:
    async with _pool(existing_store(settings), settings) as pool:
        await AccountChanges(pool.accounts).change(name, changes, who=operator())
        await _tell(pool, name)


async def set_state(settings: Settings, name: str, word: str, reason: str) -> None:
    async with _pool(existing_store(settings), settings) as pool:
        changes = AccountChanges(pool.accounts)
        await changes.set_state(name, _STATES[word], who=operator(), reason=reason)
        await _tell(pool, name)


async def remove(settings: Settings, name: str, reason: str) -> None:
    async with _pool(existing_store(settings), settings) as pool:
        await AccountChanges(pool.accounts).remove(name, who=operator(), reason=reason)
    click.echo(f"{name} is removed")


async def import_lines(
    settings: Settings, text: str, said: dict[str, Any], *, into: str | None, prefix: str | None
) -> None:
    """Make accounts of the lines. They may be the first: a store that is not there yet is made."""
    async with _pool(store_url(settings), settings) as pool:
        imports = AccountImport(pool.accounts, AccountChanges(pool.accounts))
        imported = await imports.run(text, said, into=into, prefix=prefix or PREFIX, who=operator())
    for word, counts in (("made", imported.made), ("added to", imported.added)):
        for name, keys in counts.items():
            click.echo(f"{word} {name}: {keys} {'key' if keys == 1 else 'keys'}")
    for skip in imported.skipped:
        where = f"the key is {skip.account}'s already" if skip.account else "the key stood above"
        click.echo(f"skipped line {skip.line}: {where}")


async def test(settings: Settings, names: Sequence[str]) -> bool:
    """Print what the vendors say to each key; whether one was refused."""
    refused = False
    async with (
        _pool(existing_store(settings), settings) as pool,
        open_key_test(settings, pool.accounts) as key_test,
    ):
        for name in names or sorted({*pool.accounts, *pool.accounts.kept}):
            try:
                tested = await key_test.run(name)
            except Conflict as error:
                click.echo(f"{name}: cannot tell: {error.message}")
                continue
            for each in tested:
                click.echo(_result(name, each))
                refused = refused or each.verdict is Verdict.REFUSED
    return refused


@asynccontextmanager
async def _pool(store: AbstractContextManager[str], settings: Settings) -> AsyncIterator[Pool]:
    with store as url:
        async with read_pool(settings, url) as pool:
            yield pool


async def _tell(pool: Pool, name: str) -> None:
    """What became of it, in a few words."""
    account = (await pool.capacity.read()).account(name)
    if account is None:
        raise NotFound("there is no such account")
    limits = ", ".join(f"{lane.model} {lane.limit}" for lane in account.lanes)
    keys = len(account.keys)
    click.echo(f"{name} is {account.condition}: {limits}, {keys} {'key' if keys == 1 else 'keys'}")
    if account.way_back:
        click.echo(account.way_back)


def _result(name: str, tested: KeyTested) -> str:
    return f"{name}: key {tested.key.id} ({tested.key.hint}) {result_told(tested)}"


def _table(accounts: Sequence[AccountCapacity]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("account", "vendor", "kept in", "state", "model", "in flight", "limit", "keys"):
        justify: Literal["left", "right"] = "right" if column in ("in flight", "limit") else "left"
        table.add_column(column, justify=justify, no_wrap=True)
    for account in accounts:
        head = (account.name, account.provider, account.source, _state(account))
        keys = _keys(account.keys)
        for i, lane in enumerate(account.lanes):
            limit = str(lane.limit)
            if lane.effective_limit != lane.limit:
                limit = f"{lane.effective_limit} of {limit}"
            row = (lane.model, str(lane.in_flight), limit)
            table.add_row(*(head if i == 0 else ("",) * 4), *row, keys if i == 0 else "")
        if not account.lanes:
            table.add_row(*head, "", "", "", keys)
    return table


def _state(account: AccountCapacity) -> str:
    if account.condition is Condition.ACTIVE:
        return "active"
    calm = account.condition in (Condition.PAUSED, Condition.DRAINING, Condition.DRAINED)
    return f"[{'yellow' if calm else 'red'}]{escape(account.condition)}[/]"


def _keys(keys: Sequence[KeyCapacity]) -> str:
    bad = sum(key.condition is not KeyCondition.OK for key in keys)
    return f"{len(keys)}, [red]{bad} left alone[/]" if bad else str(len(keys))


def _remarks(account: AccountCapacity) -> list[str]:
    """Why it is not as usual, and what can be done about it."""
    remarks = []
    if account.why is not None:
        until = time_told(account.why.until_ms)
        again = f" (until {until})" if until else ""
        remarks.append(f"{account.name}: {account.condition}{again}: {account.why.reason}")
    if account.way_back is not None:
        remarks.append(f"    {account.way_back}")
    if account.shadowed:
        remarks.append(
            f"{account.name}: the settings' is in use; one of this name is in the store as well "
            f"(gateway accounts remove {account.name})"
        )
    for lane in account.lanes:
        if lane.why is not None:
            until = time_told(lane.why.until_ms)
            remarks.append(f"{account.name}: {lane.model} until {until}: {lane.why.reason}")
    return remarks


def _print_json(told: object) -> None:
    click.echo(json.dumps(told, ensure_ascii=False, indent=2))
