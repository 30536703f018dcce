"""Which account takes the next task, and with which of its keys."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from gateway.domain.account import Account, ApiKey, Preference
from gateway.domain.provider_answers import Rest
from gateway.domain.team import Team
from gateway.store.connection import Store
from gateway.store.lanes import LaneRules
from gateway.store.slots import SlotStore
from tests.store.conftest import Pool, account

BOTH = "cogvideox-3@bigmodel+geekai"


async def pool_of(store: Store, *accounts: Account, prefer: Preference = Preference.SHARE) -> Pool:
    """A pool of these accounts, and one team that may have them all."""
    pool = Pool(store)
    pool.accounts = {a.name: a for a in accounts}
    pool.teams = (Team(name="films", cap=1000),)
    # Nothing is held back for answers that may be lost: that is another test's.
    rules = LaneRules(
        catalog=pool.catalog,
        unknown_share=1,
        preference=prefer,
        provider_order=("geekai", "bigmodel"),
    )
    pool.slots = SlotStore(store, pool.accounts, rules)
    await pool.slots.configure(pool.teams)
    return pool


async def taken(pool: Pool, tasks: int) -> list[str]:
    """The accounts that so many tasks go to, one after the other, which all stay."""
    claims = [(await pool.admission(task_class=BOTH)).claims for _ in range(tasks)]
    return [claim.account for each in claims for claim in each]


def at(provider: str, name: str, limit: int, cost_fen: int | None = None) -> Account:
    costs = {} if cost_fen is None else {"cogvideox-3": cost_fen}
    return replace(account(name, limit), provider=provider, costs_fen=costs)


async def test_the_largest_share_of_free_slots_goes_first(store: Store):
    pool = await pool_of(store, account("large", 20), account("small", 5))
    assert Counter(await taken(pool, 10)) == {"large": 8, "small": 2}


async def test_equals_take_turns(store: Store):
    pool = await pool_of(store, *(account(name, 5) for name in "abc"))
    order = await taken(pool, 9)
    assert [sorted(order[i : i + 3]) for i in (0, 3, 6)] == [["a", "b", "c"]] * 3
    # Also when they are idle, and none has more room than the others.
    await pool.clear()
    idle = []
    for _ in range(6):
        claim = await pool.sending()
        await pool.tasks.record_accepted(claim, claim.task_id, None, 0)
        await pool.tasks.settle(claim.task_id, claim.number, (), None)
        idle.append(claim.account)
    assert Counter(idle) == {"a": 2, "b": 2, "c": 2}


async def test_a_weight_counts_the_share_so_many_times(store: Store):
    heavy = replace(account("heavy", 10), weight=2.0)
    pool = await pool_of(store, heavy, account("light", 10))
    assert await taken(pool, 5) == ["heavy"] * 5
    await taken(pool, 6)
    # 3 of 10 are free, counted twice; and 6 of 10.
    assert await pool.in_use() == {"heavy": 7, "light": 4}


async def test_an_account_makes_only_what_its_list_of_models_says(store: Store):
    other = replace(account("other", 5), models=("other-1",))
    pool = await pool_of(store, account("a", 2), other)
    assert await taken(pool, 4) == ["a", "a"]
    assert [h.model for h in await pool.slots.holdings() if h.account == "other"] == ["other-1"]


@pytest.mark.parametrize(
    ("prefer", "order"),
    [
        # Half of the slots are at each vendor.
        (Preference.SHARE, {"cheap": 1, "dear": 1, "geek": 2}),
        (Preference.ORDER, {"geek": 4}),
        (Preference.PRICE, {"cheap": 2, "geek": 2}),
    ],
)
async def test_the_preferred_vendor_goes_first(
    store: Store, prefer: Preference, order: dict[str, int]
):
    pool = await pool_of(
        store,
        at("bigmodel", "cheap", 2, cost_fen=80),
        at("bigmodel", "dear", 2),
        at("geekai", "geek", 4, cost_fen=90),
        prefer=prefer,
    )
    assert Counter(await taken(pool, 4)) == order


@pytest.mark.parametrize("prefer", [Preference.ORDER, Preference.PRICE])
async def test_the_other_vendor_takes_the_overflow(store: Store, prefer: Preference):
    pool = await pool_of(
        store,
        at("bigmodel", "big", 2, cost_fen=100),
        at("geekai", "geek", 2, cost_fen=90),
        prefer=prefer,
    )
    assert await taken(pool, 5) == ["geek", "geek", "big", "big"]


async def test_while_the_preferred_vendor_is_left_alone_the_other_takes_over(store: Store):
    pool = await pool_of(
        store, at("bigmodel", "big", 2), at("geekai", "geek", 2), prefer=Preference.ORDER
    )
    ((claim,),) = [(await pool.admission(task_class=BOTH)).claims]
    assert claim.account == "geek"
    (again,) = await pool.tasks.give_back(claim, Rest.OVERLOAD, "1305")
    assert again.account == "big"


async def test_the_keys_of_an_account_take_turns(store: Store):
    keys = tuple(ApiKey(f"a.{number}") for number in range(3))
    pool = await pool_of(store, replace(account("a", 6), api_keys=keys), account("b", 6))
    claims = [(await pool.admission()).claims[0] for _ in range(12)]
    of_a = [claim.api_key_id for claim in claims if claim.account == "a"]
    assert Counter(of_a) == {key.id: 2 for key in keys}


async def test_a_refused_key_is_left_alone_and_the_others_go_on(store: Store):
    keys = (ApiKey("a.good"), ApiKey("a.bad"))
    pool = await pool_of(store, replace(account("a", 4), api_keys=keys))
    first = await pool.claimed()
    while first.api_key_id != keys[1].id:
        first = await pool.claimed()
    again = await pool.tasks.give_back(first, Rest.KEY, "1002: no such key", answered=True)
    used = [claim.api_key_id for claim in again] + [
        claim.api_key_id for _ in range(2) for claim in (await pool.admission()).claims
    ]
    assert set(used) == {keys[0].id}
    (rest,) = await pool.slots.resting()
    assert (rest.name, rest.reason) == (f"key:a:{keys[1].id}", "1002: no such key")


async def test_an_account_without_a_working_key_gets_nothing(store: Store):
    pool = await pool_of(store, account("a", 2), account("b", 2))
    claim = await pool.sending()
    others = {"a": "b", "b": "a"}[claim.account]
    assert [c.account for c in await pool.tasks.give_back(claim, Rest.KEY, "1002")] == [others]
    assert await taken(pool, 3) == [others]
