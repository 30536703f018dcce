"""Accounts that are changed while the gateway runs, as several processes see them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway.domain.account import AccountState, ApiKey, CannotOpen, Source
from gateway.domain.account_form import AccountForm, AccountTerms
from gateway.domain.errors import Conflict, InvalidField
from gateway.domain.provider_answers import Rest
from gateway.store.accounts import AccountStore
from gateway.store.connection import Store
from gateway.store.encryption import Cipher
from gateway.store.events import Events
from gateway.store.lanes import LaneRules
from gateway.store.slots import SlotStore
from tests.store.conftest import Pool, account

OLD, NEW = "an old secret of many characters", "a new secret, of many characters"
TERMS = AccountTerms(
    tiers={"V0": 2, "V1": 4},
    base_urls={"bigmodel": "http://vendor.example"},
    costs_fen={"bigmodel": {"cogvideox-3": 100}},
    models={"cogvideox-3": ("bigmodel", "geekai"), "other-1": ("bigmodel",), "far-1": ("far",)},
)
WHO = {"who": "ops@example", "reason": "a test"}


@dataclass
class Process:
    """One process's view: the settings have the accounts a (2 slots) and b (1 slot)."""

    pool: Pool
    accounts: AccountStore
    secrets: list[str]

    async def add(self, name: str = "c", **said: Any) -> bool:
        said = {"tier": "V1", "api_keys": [f"{name}.secret"]} | said
        form = AccountForm.read({"name": name} | said)
        return await self.accounts.put(form, None, action="accounts.add", **WHO)

    async def change(self, name: str = "c", **said: Any) -> bool:
        kept = self.accounts.kept[name]
        keys = [key.secret for key in self.accounts[name].api_keys]
        form = AccountForm.read(kept.said | {"api_keys": keys} | said)
        return await self.accounts.put(form, kept, action="accounts.set", **WHO)

    async def start(self) -> None:
        await self.accounts.refresh()
        assert await self.pool.slots.configure(self.pool.teams, self.accounts.version)


@pytest.fixture
async def make(store: Store):
    """Makes processes on one store."""

    def process(*secrets: str) -> Process:
        pool, in_hand = Pool(store), list(secrets or [OLD])
        lanes = LaneRules(catalog=pool.catalog, unknown_share=1)
        accounts = AccountStore(store, lambda: Cipher(in_hand, "p"), TERMS, lanes, pool.accounts)
        pool.slots = SlotStore(store, accounts, lanes)
        return Process(pool, accounts, in_hand)

    return process


@pytest.fixture
async def one(make) -> Process:
    process = make()
    await process.start()
    return process


async def test_a_kept_account_is_as_good_as_one_of_the_settings(one: Process):
    assert await one.add()
    assert one.accounts["c"].limit == 4
    assert one.accounts["c"].source is Source.STORE
    assert one.accounts["c"].costs_fen == {"cogvideox-3": 100}
    claims = [claim.account for _ in range(3) for claim in (await one.pool.admission()).claims]
    assert sorted(claims) == ["a", "b", "c"]
    assert sorted(one.accounts) == ["a", "b", "c"]


async def test_its_keys_are_sealed_and_nothing_else_is_lost(one: Process, make):
    secret = "0123456789abcdef.a-secret-of-the-vendor"
    await one.add(api_keys=[secret], models=["cogvideox-3"], weight=2.5, limits={"cogvideox-3": 3})
    raw = await one.pool.store.redis.hgetall(one.pool.store.keys.accounts)
    assert secret not in json.dumps(raw)
    other = make()
    await other.accounts.refresh()
    assert other.accounts["c"] == one.accounts["c"]
    assert [key.secret for key in other.accounts["c"].api_keys] == [secret]


async def test_of_one_name_the_settings_account_is_in_use(one: Process, make):
    await one.add("d", api_keys=["of-the-store"])
    other = make()
    other.pool.accounts["d"] = account("d", 7)
    await other.start()
    assert other.accounts["d"].source is Source.SETTINGS
    assert other.accounts.shadowed("d")
    # A change of the kept one changes nothing of what is in use.
    form = AccountForm.read({"name": "d", "limit": 1, "api_keys": ["of-the-store"]})
    assert await other.accounts.put(form, other.accounts.kept["d"], action="accounts.set", **WHO)
    holdings = await other.pool.slots.holdings()
    assert [h.limit for h in holdings if (h.account, h.model) == ("d", "cogvideox-3")] == [7]
    lanes = await other.pool.store.redis.hget(
        f"{other.pool.store.keys.tag}:lanes:bigmodel:cogvideox-3", "d"
    )
    assert lanes.startswith("7 ")


async def test_of_two_changes_at_once_one_is_told_that_it_was_late(one: Process, make):
    await one.add()
    other = make()
    await other.accounts.refresh()
    assert await one.change(tier="V0")
    assert not await other.change(weight=3.0)
    assert other.accounts["c"].limit == 2, "it has read what there is now"
    assert await other.change(weight=3.0)
    await one.accounts.refresh()
    assert (one.accounts["c"].tier, one.accounts["c"].weight) == ("V0", 3.0)


async def test_a_key_is_one_accounts_also_when_two_are_made_at_once(one: Process):
    makes = (one.add(name, api_keys=["the-same-key"]) for name in "cd")
    made = await asyncio.gather(*makes, return_exceptions=True)
    assert sorted(map(str, made)) == [
        "True",
        f"one of the keys is account {[*one.accounts][-1]}'s by now",
    ]
    assert len(one.accounts.kept) == 1


async def test_a_start_does_not_undo_a_change_that_was_made_meanwhile(one: Process, make):
    other = make()
    await other.accounts.refresh()
    await one.add()
    assert not await other.pool.slots.configure(other.pool.teams, other.accounts.version)
    await other.start()
    assert "c" in other.accounts


async def test_a_limit_that_is_lowered_admits_nothing_until_it_has_drained(one: Process):
    one.pool.teams = (replace(one.pool.teams[0], cap=100),)
    await one.start()
    for name in "ab":
        await one.accounts.set_state(name, AccountState.PAUSED, **WHO)
    await one.add(limit=3, tier=None)
    running = [await one.pool.running() for _ in range(3)]
    await one.pool.admission()
    assert await one.change(limit=1)
    for claim in running[:2]:
        ended, claims = await one.pool.tasks.settle(claim.task_id, claim.number, (), None)
        assert (ended, claims) == (True, ())
    _, claims = await one.pool.tasks.settle(running[2].task_id, running[2].number, (), None)
    assert len(claims) == 1


@pytest.mark.parametrize("state", AccountState)
async def test_an_account_that_is_paused_or_drained_gets_nothing_more(
    one: Process, state: AccountState
):
    running = await one.pool.running()
    assert await one.accounts.set_state(running.account, state, **WHO)
    others = [c.account for _ in range(4) for c in (await one.pool.admission()).claims]
    assert running.account not in others
    told = one.accounts.states[running.account]
    assert (told.state, told.reason, told.who) == (state, "a test", "ops@example")
    ended, _ = await one.pool.tasks.settle(running.task_id, running.number, (), None)
    assert ended
    assert await one.accounts.set_state(running.account, None, **WHO)
    assert one.accounts.states == {}
    assert running.account in {c.account for c in await one.pool.tasks.claim_waiting(9)}


async def test_whoever_lets_an_account_go_on_need_not_wait_for_its_rests(one: Process):
    claim = await one.pool.sending()
    await one.pool.tasks.give_back(claim, Rest.ACCOUNT, "1113: in arrears", hand_on=False)
    await one.accounts.set_state(claim.account, None, **WHO)
    assert await one.pool.slots.resting() == []


async def test_there_is_no_pausing_what_is_not_there(one: Process):
    assert not await one.accounts.set_state("nobody", AccountState.PAUSED, **WHO)
    assert one.accounts.states == {}


async def test_an_account_with_tasks_stays_until_they_have_ended(one: Process):
    one.pool.teams = (replace(one.pool.teams[0], cap=100),)
    await one.start()
    await one.add(weight=100.0)
    claim = await one.pool.running()
    assert claim.account == "c"
    assert await one.accounts.remove(one.accounts.kept["c"], **WHO) == (False, 1)
    assert "c" in one.accounts
    await one.pool.tasks.settle(claim.task_id, claim.number, (), None)
    assert await one.accounts.remove(one.accounts.kept["c"], **WHO) == (True, 0)
    assert "c" not in one.accounts
    claims = [c.account for _ in range(3) for c in (await one.pool.admission()).claims]
    assert "c" not in claims


async def test_it_stays_also_when_it_may_make_their_model_no_more(one: Process):
    one.pool.teams = (replace(one.pool.teams[0], cap=100),)
    await one.start()
    await one.add(weight=100.0)
    claim = await one.pool.running()
    assert claim.account == "c"
    assert await one.change(models=["other-1"])
    assert await one.accounts.remove(one.accounts.kept["c"], **WHO) == (False, 1)
    await one.pool.tasks.settle(claim.task_id, claim.number, (), None)
    assert await one.accounts.remove(one.accounts.kept["c"], **WHO) == (True, 0)


async def test_its_address_stays_while_tasks_run_on_it(one: Process):
    """At a wrong one nobody knows them, and they would be given up."""
    one.pool.teams = (replace(one.pool.teams[0], cap=100),)
    await one.start()
    await one.add(weight=100.0)
    claim = await one.pool.running()
    with pytest.raises(Conflict, match="drain it first"):
        await one.change(base_url="http://elsewhere.example")
    assert await one.change(base_url="http://vendor.example"), "the same, only said"
    await one.pool.tasks.settle(claim.task_id, claim.number, (), None)
    assert await one.change(base_url="http://elsewhere.example")


async def test_whose_settings_have_a_name_is_what_the_store_was_told(one: Process, make):
    """A command that is given in another folder reads other settings."""
    stranger = make()
    stranger.pool.accounts.clear()
    await stranger.accounts.refresh()
    assert await stranger.add("a", limit=50, tier=None)
    lanes = f"{one.pool.store.keys.tag}:lanes:bigmodel:cogvideox-3"
    assert (await one.pool.store.redis.hget(lanes, "a")).startswith("2 ")
    assert await stranger.accounts.remove(stranger.accounts.kept["a"], **WHO) == (True, 0)
    assert (await one.pool.store.redis.hget(lanes, "a")).startswith("2 ")


async def test_a_kept_account_with_a_key_of_the_settings_is_not_used(one: Process, make):
    await one.add(api_keys=["a.another"])
    other = make()
    other.pool.accounts["a"] = replace(other.pool.accounts["a"], api_keys=(ApiKey("a.another"),))
    await other.accounts.refresh()
    assert "c" not in other.accounts
    assert "is account a's there" in other.accounts.locked["c"]


async def test_nothing_is_left_of_an_account_that_was_removed(one: Process):
    before = await _everything(one)
    await one.add()
    await one.accounts.set_state("c", AccountState.PAUSED, **WHO)
    await one.accounts.remove(one.accounts.kept["c"], **WHO)
    after = await _everything(one)
    assert after == before


async def _everything(process: Process) -> dict[str, dict[str, str]]:
    redis, tag = process.pool.store.redis, process.pool.store.keys.tag
    names = ("accounts", "account_states", "lanes_of", "keys", "rests", "effective", "troubles")
    lanes = ("lanes:bigmodel:cogvideox-3", "lanes:bigmodel:other-1", "turns")
    return {name: await redis.hgetall(f"{tag}:{name}") for name in (*names, *lanes)}


async def test_every_change_is_in_the_audit_and_no_secret_is(one: Process):
    await one.add(api_keys=["the-first-key", "the-second-key"])
    await one.change(tier="V0", api_keys=["the-second-key", "the-third-key"])
    await one.accounts.set_state("c", AccountState.DRAINING, **WHO)
    await one.accounts.set_state("c", None, **WHO)
    await one.accounts.remove(one.accounts.kept["c"], **WHO)
    entries = await one.pool.tasks.audit(10)
    assert [entry.action.removeprefix("accounts.") for entry in entries] == [
        *("add", "set", "drain", "resume", "remove")
    ]
    assert {(entry.who, entry.on, entry.reason) for entry in entries} == {
        ("ops@example", "c", "a test")
    }
    changed = json.loads(entries[1].before), json.loads(entries[1].after)
    assert [said["tier"] for said in changed] == ["V1", "V0"]
    assert [said["keys"] for said in changed] == [
        [ApiKey(f"the-{n}-key").id for n in pair]
        for pair in (("first", "second"), ("second", "third"))
    ]
    assert "-key" not in str(entries)
    assert (entries[2].before, entries[2].after) == ("active", "draining")


async def test_the_same_change_again_is_one_change(one: Process):
    await one.add()
    assert await one.change()
    assert [entry.action for entry in await one.pool.tasks.audit(10)] == ["accounts.add"]


async def test_what_names_something_that_is_not_there_is_refused(one: Process):
    for field, value in (
        ("provider", "nobody"),
        ("tier", "V9"),
        ("models", ["cogvidoex-3"]),
        ("models", ["far-1"]),
        ("limits", {"cogvidoex-3": 1}),
    ):
        with pytest.raises(InvalidField) as refused:
            await one.add(**{field: value})
        assert (refused.value.param or "").startswith(field)
    assert one.accounts.kept == {}


async def test_all_secrets_are_replaced_and_nothing_is_under_the_old_one(one: Process, make):
    for name in ("c", "d"):
        await one.add(name, api_keys=[f"{name}.one", f"{name}.two"])
    both = make(NEW, OLD)
    await both.accounts.refresh()
    assert await both.accounts.reseal() == 4
    assert await both.accounts.reseal() == 0
    only_new = make(NEW)
    await only_new.accounts.refresh()
    assert only_new.accounts.locked == {}
    assert {key.secret for key in only_new.accounts["d"].api_keys} == {"d.one", "d.two"}


async def test_what_is_out_of_use_encrypts_nothing_any_more(one: Process, make):
    """Else a process that still has it in front would leave a key that nobody opens later."""
    both = make(NEW, OLD)
    await both.accounts.refresh()
    await both.accounts.reseal()
    with pytest.raises(Conflict, match="out of use"):
        await one.add()
    assert one.accounts.kept == {}
    assert await both.add()
    # Who goes back to it says so by a rotation as well.
    back = make(OLD, NEW)
    await back.accounts.refresh()
    assert await back.accounts.reseal() == 1
    assert await one.add("d")


async def test_a_process_without_the_secret_says_which_is_missing(one: Process, make):
    await one.add()
    other = make(NEW)
    await other.accounts.refresh()
    assert "c" not in other.accounts
    assert "no secret of version" in other.accounts.locked["c"]
    with pytest.raises(CannotOpen):
        await other.accounts.reseal()
    # Once it has the secret, it needs no restart.
    other.secrets.append(OLD)
    await other.accounts.refresh()
    assert (other.accounts.locked, other.accounts["c"].limit) == ({}, 4)


async def test_a_process_that_runs_goes_on_with_the_keys_that_it_knows(one: Process, make):
    await one.add()
    both = make(NEW, OLD)
    await both.accounts.refresh()
    await both.accounts.reseal()
    await one.accounts.refresh()
    assert "no secret of version" in one.accounts.locked["c"]
    assert [key.secret for key in one.accounts["c"].api_keys] == ["c.secret"]


async def test_word_of_a_change_reaches_a_process_that_listens(one: Process, make, store_url: str):
    other = make()
    await other.accounts.refresh()
    events = Events(
        store_url,
        one.pool.store.keys.events,
        changed=lambda _: None,
        perhaps_changed=lambda: None,
        accounts_changed=other.accounts.heard,
        tenants_changed=lambda: None,
    )
    loops = [asyncio.create_task(events.run()), asyncio.create_task(other.accounts.run())]
    await one.add()
    while "c" not in other.accounts:
        await asyncio.sleep(0.01)
    for loop in loops:
        loop.cancel()


async def test_and_one_that_does_not_listen_sees_it_all_the_same(one: Process, make):
    other = make()
    reading = asyncio.create_task(other.accounts.run())
    await one.add()
    while "c" not in other.accounts:
        await asyncio.sleep(0.01)
    reading.cancel()
