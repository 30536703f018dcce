"""The dashboard in a real Chromium, against a real gateway under load, in both languages.

GATEWAY_TEST_SHOTS=folder keeps a picture of every view.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.admin import Operator
from tests.dashboard.browser import Visit, browser
from tests.harness import ADMIN_KEY, OTHER_KEY, Caller, Processes, Running, Vendor, wait_until

LIMITS = {"main": 5, "second": 10}
VIEWS = ("overview", "usage", "tasks", "accounts", "teams", "playground", "audit")
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
expect.set_options(timeout=20_000)
SHOTS = Path(os.environ.get("GATEWAY_TEST_SHOTS", ""))


class Town:
    """A gateway with work, and an operator at it."""

    def __init__(self, processes: Processes, stack: ExitStack) -> None:
        self.vendor: Vendor = processes.simulator(LIMITS, duration="3600")
        self.running: Running = processes.gateway(self.vendor, LIMITS)
        self.root = stack.enter_context(closing(Operator(self.running)))
        self.films: Caller = processes.caller(self.running)
        adverts = processes.caller(self.running, OTHER_KEY)
        ended = self.films.created(prompt="一只猫在玩球")
        wait_until(lambda: self.vendor.total()["in_flight"] == 1)
        self.vendor.end_all()
        self.films.ended(ended)
        self.ended = ended
        for i in range(22):
            (self.films, adverts)[i % 2].created(prompt=f"{HOSTILE} {i}")
        wait_until(lambda: self.vendor.total()["in_flight"] == 15)


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def town(chrome: Browser, shared: Processes) -> Iterator[Town]:
    with ExitStack() as stack:
        yield Town(shared, stack)


def visiting(town: Town, chrome: Browser, key: str = ADMIN_KEY, **look: object) -> Visit:
    width = {"viewport": {"width": 1360, "height": 900}, "locale": "zh-CN"}
    context = chrome.new_context(**(width | look))
    visit = Visit(context, town.running.url)
    visit.sign_in(key)
    return visit


def serious(page: Page) -> list[str]:
    """What axe-core finds that keeps somebody out."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {[node['html'][:150] for node in each['nodes'][:3]]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def settled(visit: Visit) -> None:
    """Until what was asked for is there."""
    visit.page.wait_for_selector("main h1")
    visit.page.wait_for_load_state("load")
    expect(visit.page.locator("main")).not_to_contain_text(re.compile("加载中|Loading"))


@pytest.mark.parametrize(
    ("language", "theme", "width"),
    [("zh-CN", "light", 1360), ("en-GB", "dark", 1360), ("zh-CN", "dark", 390)],
)
def test_every_view_is_whole_in_every_look(
    town: Town, chrome: Browser, language: str, theme: str, width: int
):
    look = {"locale": language, "color_scheme": theme}
    visit = visiting(town, chrome, viewport={"width": width, "height": 900}, **look)
    with closing(visit.page.context):
        for view in (*VIEWS, "teams/films", f"tasks/{town.ended}"):
            visit.go(view)
            settled(visit)
            what = view.partition("/")[0] + ("-one" if "/" in view else "")
            name = f"{what}-{language[:2]}-{theme}-{width}"
            if str(SHOTS) != ".":
                visit.page.wait_for_timeout(1500)
                visit.shot(SHOTS, name)
            assert serious(visit.page) == [], name
            wide = visit.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} wide"
        title = visit.page.title()
        assert title not in ("1", "2"), "a prompt was run"
        assert visit.faults == []


def test_the_overview_lives(town: Town, chrome: Browser):
    visit = visiting(town, chrome)
    with closing(visit.page.context):
        visit.go("overview")
        page = visit.page
        expect(page.locator(".lane")).to_have_count(2)
        expect(page.locator(".cells .cell:not(.free)")).to_have_count(15)
        expect(page.locator(".figure").first).to_contain_text("15 / 15")
        town.root.done("POST", "/accounts/second/pause", reason="a look")
        expect(page.locator(".lane", has_text="second")).to_contain_text("已暂停")
        town.root.done("POST", "/accounts/second/resume")
        expect(page.locator(".lane", has_text="second")).not_to_contain_text("已暂停")
        assert visit.faults == []


def test_a_team_a_key_a_video_its_play_a_cancel_and_an_export(town: Town, chrome: Browser):
    visit = visiting(town, chrome, locale="en-GB", accept_downloads=True)
    page = visit.page
    with closing(page.context):
        visit.go("teams")
        page.get_by_role("button", name="Add a team").click()
        page.get_by_label("Name").first.fill("studio")
        page.get_by_label("Budget a month").fill("12.50")
        page.locator("dialog button.main").click()
        expect(page.locator("main h1")).to_contain_text("studio")
        expect(page.locator("main")).to_contain_text("¥12.50")
        page.get_by_role("button", name="Make a key").click()
        page.get_by_label("Name of the key").fill("<b>farm</b>")
        page.locator("dialog button.main").click()
        secret = page.locator(".secret code").inner_text()
        assert secret.startswith("sk-gw-")
        for name in ("curl", "zai-sdk", "openai"):
            page.get_by_role("tab", name=name).click()
            expect(page.locator("dialog pre")).to_contain_text(secret)
        page.get_by_role("button", name="I have kept it").click()
        expect(page.locator("main")).to_contain_text("<b>farm</b>")
        expect(page.locator("main")).not_to_contain_text(secret)

        town.vendor.end_all()
        town.vendor.settings(duration=0.3)
        wait_until(lambda: town.vendor.end_all() or not town.vendor.total()["in_flight"])
        visit.go("playground")
        page.get_by_label("As team").select_option("studio")
        page.get_by_label("Prompt").fill("a cat that plays")
        page.get_by_role("button", name="Make a video").click()
        video = page.locator("video")
        expect(video).to_be_visible()
        page.evaluate("() => document.querySelector('video').play()")
        played = "() => document.querySelector('video').currentTime"
        wait_until(lambda: page.evaluate(played) > 0.3, what="the video to play")

        town.vendor.settings(duration=3600)
        page.get_by_role("button", name="Make a video").click()
        expect(page.locator(".card .badge", has_text="in progress")).to_be_visible()
        page.locator(".card a.id").first.click()
        page.get_by_role("button", name="Cancel the task").click()
        expect(page.locator("dialog")).to_contain_text("The vendor may be at it")
        page.get_by_label("Reason").fill("tried it")
        page.locator("dialog button.main").click()
        expect(page.locator(".timeline")).to_contain_text("cancel asked")

        visit.go("usage")
        page.get_by_label("Team", exact=True).first.select_option("studio")
        with page.expect_download() as download:
            page.get_by_role("link", name="Export entries").click()
        rows = Path(download.value.path()).read_text().splitlines()
        assert len(rows) == 2
        assert "studio" in rows[1]
        visit.go("audit")
        expect(page.locator("main")).to_contain_text("tried it")
        expect(page.locator("main")).to_contain_text("keys.create")
        assert secret not in page.content()
        assert visit.faults == []
        town.vendor.end_all()


def test_what_is_wrong_is_said_at_its_field(town: Town, chrome: Browser):
    visit = visiting(town, chrome, locale="en-GB")
    page = visit.page
    with closing(page.context):
        visit.go("teams")
        page.get_by_role("button", name="Add a team").click()
        page.get_by_label("Name").first.fill("not a name")
        page.locator("dialog button.main").click()
        field = page.get_by_label("Name").first
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#field-name-about")).to_contain_text("1 to 64 letters")
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_have_count(0)


def test_roles_hide_what_one_may_not_do(town: Town, chrome: Browser):
    viewer = town.root.done("POST", "/operators", name="looker", role="viewer")["key"]
    own = town.root.done("POST", "/operators", name="films-lead", role="viewer", team="films")[
        "key"
    ]
    visit = visiting(town, chrome, viewer)
    with closing(visit.page.context):
        expect(visit.page.locator("nav a")).to_have_count(6)
        visit.go("accounts")
        settled(visit)
        expect(visit.page.get_by_role("button", name="暂停")).to_have_count(0)
        visit.go("playground")
        expect(visit.page.locator("nav a[aria-current]")).to_have_text("概览")
        assert visit.faults == []
    visit = visiting(town, chrome, own)
    with closing(visit.page.context):
        expect(visit.page.locator("nav a")).to_have_count(3)
        for view in ("usage", "tasks", "teams", "teams/films"):
            visit.go(view)
            settled(visit)
            expect(visit.page.locator("main")).not_to_contain_text("adverts")
        assert visit.faults == []


def test_it_can_be_used_with_the_keyboard_alone(town: Town, chrome: Browser):
    visit = visiting(town, chrome, locale="en-GB")
    page = visit.page
    with closing(page.context):
        visit.go("overview")
        settled(visit)
        page.locator(".skip").focus()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        page.locator("nav a", has_text="Teams").focus()
        page.keyboard.press("Enter")
        expect(page.locator("main h1")).to_contain_text("Teams")
        assert visit.faults == []


def test_whoever_signs_out_is_out(town: Town, chrome: Browser):
    visit = visiting(town, chrome, locale="en-GB")
    with closing(visit.page.context):
        visit.page.get_by_role("button", name="Sign out").click()
        expect(visit.page.locator("input[name=key]")).to_be_visible()
        visit.page.reload()
        expect(visit.page.locator("input[name=key]")).to_be_visible()
        assert visit.faults == []
