"""Teams, keys, prices and operators that are changed while the gateway runs, as several processes
see them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.api.admin.tenant_views import TenantViews
from gateway.domain.account import Source
from gateway.domain.catalog import ModelSpec
from gateway.domain.charge import Charge, Periods, Spending
from gateway.domain.errors import AuthenticationFailed, Conflict, NotFound
from gateway.domain.team import Team
from gateway.domain.tenant_form import TenantTerms
from gateway.domain.tenant_record import Kind, record_of
from gateway.lifecycle.tenant_changes import TenantChanges
from gateway.store.connection import Store
from gateway.store.events import Events
from gateway.store.sessions import SessionStore
from gateway.store.spending import SpendingReader
from gateway.store.tenants import TenantStore
from tests.store.conftest import Pool

SPEC = ModelSpec(name="cogvideox-3", price_fen=100, sizes=("1920x1080",), qualities=("speed",))
TERMS = TenantTerms(tiers={"V0": 2, "V1": 4}, models={SPEC.name: SPEC})
SETTING_KEY = "sk-films-0123456789abcdef0123456789abcdef"
WHO = {"who": "ops@example"}


@dataclass
class Process:
    """One process's view: the settings have the team films, with a key."""

    tenants: TenantStore

    def __post_init__(self) -> None:
        self.changes = TenantChanges(self.tenants)

    async def cats(self, **said: Any) -> str:
        """A team, and the secret of its one key."""
        await self.changes.teams.add({"name": "cats"} | said, **WHO)
        return (await self.changes.keys.create({"team": "cats"}, **WHO)).secret

    def opens(self, secret: str) -> bool:
        try:
            self.tenants.authenticate(secret)
        except AuthenticationFailed:
            return False
        return True


@pytest.fixture
def make(store: Store):
    def make() -> Process:
        films = Team(name="films", cap=3)
        return Process(TenantStore(store, TERMS, [films], {SETTING_KEY: "films"}))

    return make


@pytest.fixture
def one(make: Any) -> Process:
    return make()


async def caps(pool: Pool) -> dict[str, str]:
    return await pool.store.redis.hgetall(f"{pool.store.keys.tag}:caps")


async def test_a_team_has_its_cap_as_soon_as_it_is_there(the_pool: Pool, one: Process, make: Any):
    await one.changes.teams.add({"name": "cats", "tier": "V1"}, **WHO)
    assert (await caps(the_pool))["cats"] == "4"
    await one.changes.teams.change("cats", {"limit": 9}, **WHO)
    assert (await caps(the_pool))["cats"] == "9"
    await one.changes.teams.change("cats", {"tier": "V0"}, **WHO)
    assert (await caps(the_pool))["cats"] == "2"
    other = make()
    await other.tenants.refresh()
    assert (other.tenants.teams["cats"].cap, other.tenants.teams["cats"].source) == (2, "store")
    await one.changes.teams.remove("cats", **WHO)
    assert "cats" not in await caps(the_pool)


async def test_a_teams_keys_viewers_and_prices_go_with_it(the_pool: Pool, one: Process):
    secret = await one.cats()
    viewer = await one.changes.operators.add(
        {"name": "cat-owner", "role": "viewer", "team": "cats"}, **WHO
    )
    for team in ("cats", "films", None):
        price = {"model": SPEC.name, "price_fen": 1} | ({"team": team} if team else {})
        await one.changes.prices.add(price, **WHO)
    other = await one.changes.keys.create({"team": "films"}, **WHO)
    assert await one.changes.teams.remove("cats", **WHO, reason="over") == 1
    assert not one.opens(secret)
    await one.changes.teams.add({"name": "cats"}, **WHO)
    assert not one.opens(secret)
    assert one.opens(other.secret)
    assert one.tenants.operator(viewer.id) is None
    assert {price.team for price in one.tenants.prices.values()} == {"films", None}
    *_, key_gone, viewer_gone, price_gone, team_gone, _ = await the_pool.tasks.audit(100)
    gone = (key_gone, viewer_gone, price_gone, team_gone)
    assert {each.action for each in gone} == {"teams.remove"}
    assert json.loads(key_gone.before)["secrets"] == [f"...{secret[-4:]}"]
    assert key_gone.reason == "its team cats was taken out"
    assert (team_gone.on, team_gone.reason) == ("cats", "over")


async def test_a_team_with_tasks_stays(the_pool: Pool, one: Process):
    await one.cats()
    await the_pool.admit("cats")
    with pytest.raises(Conflict, match="1 tasks that wait or are in flight"):
        await one.changes.teams.remove("cats", **WHO)
    assert "cats" in one.tenants.teams
    await the_pool.clear()


async def test_nothing_is_made_for_a_team_that_is_gone_meanwhile(one: Process, make: Any):
    await one.cats()
    late = make()
    await late.tenants.refresh()
    await one.changes.teams.remove("cats", **WHO)
    said = {"form": {"team": "cats"}, "secrets": [], "created_ms": 1}
    for kind in (Kind.KEY, Kind.PRICE, Kind.OPERATOR):
        put = late.tenants.put(kind, "it", None, record_of(said), **WHO, action="add", reason="")
        assert await put is None
        assert late.tenants.records[kind] == {}


async def test_word_of_a_change_reaches_a_process_that_listens(
    store_url: str, the_pool: Pool, one: Process, make: Any
):
    other = make()
    events = Events(
        store_url,
        the_pool.store.keys.events,
        changed=lambda _: None,
        perhaps_changed=lambda: None,
        accounts_changed=lambda: None,
        tenants_changed=other.tenants.heard,
    )
    loops = [asyncio.create_task(events.run()), asyncio.create_task(other.tenants.run())]
    secret = await one.cats()
    async with asyncio.timeout(30):
        while not other.opens(secret):
            await asyncio.sleep(0.01)
        await one.changes.teams.remove("cats", **WHO)
        while other.opens(secret):
            await asyncio.sleep(0.01)
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


async def test_whoever_was_overtaken_is_told_so(one: Process):
    await one.changes.teams.add({"name": "cats"}, **WHO)
    before = one.tenants.records[Kind.TEAM]["cats"]
    await one.changes.teams.change("cats", {"weight": 2}, **WHO)
    late = record_of({"name": "cats", "weight": 3})
    done = {"action": "teams.set", "reason": ""}
    assert await one.tenants.put(Kind.TEAM, "cats", before, late, **WHO, **done) is None
    assert one.tenants.teams["cats"].weight == 2.0


async def test_the_settings_team_is_in_use_and_the_kept_one_can_be_taken_out(
    the_pool: Pool, store: Store, one: Process
):
    secret = await one.cats()
    cats = Team(name="cats", cap=3)
    with_cats = Process(TenantStore(store, TERMS, [cats], {}))
    await with_cats.tenants.refresh()
    assert await the_pool.slots.configure([cats], tenants_version=with_cats.tenants.version)
    assert with_cats.tenants.teams["cats"].source is Source.SETTINGS
    assert "the settings have one" in with_cats.tenants.unfit["team cats"]
    with pytest.raises(Conflict, match="is in the settings: change it there"):
        await with_cats.changes.teams.change("cats", {"weight": 2}, **WHO)
    assert await with_cats.changes.teams.remove("cats", **WHO) == 0
    assert (await caps(the_pool))["cats"] == "3"
    assert with_cats.opens(secret)
    with pytest.raises(Conflict, match="in the settings"):
        await with_cats.changes.teams.remove("cats", **WHO)
    await the_pool.clear()


async def test_what_no_longer_fits_the_settings_is_told_and_can_be_mended(
    store: Store, one: Process
):
    await one.changes.teams.add({"name": "cats", "tier": "V1"}, **WHO)
    key = await one.changes.keys.create({"team": "cats"}, **WHO)
    without = TenantTerms(tiers={"V0": 2}, models=TERMS.models)
    later = Process(TenantStore(store, without, [], {}))
    views = TenantViews(later.tenants, SpendingReader(store, UTC))
    assert await views.teams() == []
    (unfit,) = views.unfit("team")
    assert unfit["name"] == "cats"
    assert "there is no such tier, only V0" in unfit["reason"]
    for look in (views.team("cats"), views.key(key.id)):
        with pytest.raises(Conflict, match="is kept, and not in use"):
            await look
    # To whoever may not know of it there is none.
    for look in (views.team("cats", lambda _: False), views.key(key.id, lambda _: False)):
        with pytest.raises(NotFound):
            await look
    await later.changes.teams.change("cats", {"tier": "V0"}, **WHO)
    assert (await views.team("cats"))["cap"] == 2
    assert later.opens(key.secret)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("record", ["", "[]", '{"role": "auditor", "name": "x", "secrets": [{}]}'])
async def test_a_record_that_cannot_be_read_does_not_hide_that_a_key_was_revoked(
    store: Store, one: Process, make: Any, kind: Kind, record: str
):
    secret, other = await one.cats(), make()
    await other.tenants.refresh()
    assert other.opens(secret)
    await store.redis.hset(f"{store.keys.tag}:{kind}", "odd", record)
    (key,) = one.tenants.records[Kind.KEY]
    await one.changes.keys.revoke(key, **WHO)
    await other.tenants.refresh()
    assert not other.opens(secret)
    assert len(other.tenants.unfit) == 1


async def test_a_rotation_leaves_the_older_secrets_open_for_a_while(one: Process):
    first = await one.cats()
    (key_id,) = (key.id for key in one.tenants.keys.values() if key.team == "cats")
    second = (await one.changes.keys.rotate(key_id, **WHO)).secret
    third = (await one.changes.keys.rotate(key_id, 60, **WHO)).secret
    assert [one.opens(secret) for secret in (first, second, third)] == [True, True, True]
    said = json.loads(one.tenants.records[Kind.KEY][key_id])
    hints = [each["hint"] for each in said["secrets"]]
    assert hints == [f"...{secret[-4:]}" for secret in (third, second, first)]
    assert one.tenants.keys[key_id].hint == hints[0]
    # Whatever was said before, a later rotation only shortens it.
    assert said["secrets"][1]["until_ms"] == said["secrets"][2]["until_ms"]
    fourth = (await one.changes.keys.rotate(key_id, 0, **WHO)).secret
    assert [one.opens(secret) for secret in (first, second, third)] == [False, False, False]
    assert one.opens(fourth)
    assert len(json.loads(one.tenants.records[Kind.KEY][key_id])["secrets"]) == 1
    with pytest.raises(NotFound):
        await one.changes.keys.rotate("key_of_nobody", **WHO)


async def test_the_audit_has_no_secret_and_no_digest(the_pool: Pool, one: Process):
    secret = await one.cats(reason="new")
    (key_id,) = (key.id for key in one.tenants.keys.values() if key.team == "cats")
    again = (await one.changes.keys.rotate(key_id, **WHO)).secret
    viewer = await one.changes.operators.add({"name": "eve", "role": "viewer"}, **WHO)
    kept = [*one.tenants.records[Kind.KEY].values(), *one.tenants.records[Kind.OPERATOR].values()]
    await one.changes.operators.remove(viewer.id, **WHO)
    await one.changes.teams.remove("cats", **WHO)
    audit = repr(await the_pool.tasks.audit(100))
    digests = [each["digest"] for record in kept for each in json.loads(record)["secrets"]]
    assert len(digests) == 3
    for never in (secret, again, viewer.secret, *digests):
        assert never not in audit
    for action in ("teams.add", "keys.create", "keys.rotate", "operators.add", "operators.remove"):
        assert action in audit


async def test_what_is_taken_of_a_period_is_told_by_holder(the_pool: Pool, store: Store):
    now = Periods.at(datetime.now(UTC), UTC)
    charge = Charge(price_fen=100, key_id="key_1", periods=now)
    await the_pool.admission("adverts", charge=charge)
    reader = SpendingReader(store, UTC)
    read = await reader.spending_of(["team:adverts", "key:key_1", "team:nobody"])
    for holder in ("team:adverts", "key:key_1"):
        assert [each.reserved_fen for each in read[holder]] == [100, 100, 100]
    assert read["team:nobody"][2] == Spending("all", 0, 0)
    assert await reader.spending_of([]) == {}
    await the_pool.clear()


async def test_a_session_is_known_by_its_secret_until_it_is_ended(store: Store):
    sessions = SessionStore(store)
    secret = await sessions.begin("operator_1")
    assert await sessions.value_of(secret) == "operator_1"
    (name,) = [name async for name in store.redis.scan_iter(match=f"{store.keys.tag}:session:*")]
    assert secret not in name
    assert 0 < await store.redis.pttl(name) <= 12 * 3600 * 1000
    await sessions.end(secret)
    assert await sessions.value_of(secret) is None
