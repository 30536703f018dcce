"""Plays one case: let it strike, let the others take over, and judge once everything is over."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from tests.failpoints.blows import Blow
from tests.failpoints.cases import Case, Unknown
from tests.failpoints.judge import Evidence, left_behind, violations
from tests.failpoints.lane import Lane, Victim
from tests.failpoints.scenarios import STARTING
from tests.failpoints.traffic import CREATE, Traffic
from tests.harness import wait_until

_ENDED = ("completed", "failed", "cancelled")


@dataclass
class _Scene:
    case: Case
    lane: Lane
    traffic: Traffic
    victim: Victim
    acting: Future[None]

    def rescue(self) -> None:
        """The others wake up, and callers turn to them."""
        self.lane.wake()
        self.traffic.elsewhere.set()


def play(case: Case, lane: Lane) -> None:
    """Raises AssertionError with everything that is wrong."""
    lane.clear()
    traffic = Traffic(lane, case.id)
    case.scenario.prepare(traffic, case.blow)
    victim = lane.victim(case.place, case.blow, case.first)
    traffic.server = victim.running
    try:
        _play(case, traffic, victim)
    except AssertionError as error:
        error.add_note(f"The victim's last words:\n{victim.last_words()}")
        error.add_note(f"What its store knows:\n{_told(lane)}")
        raise
    finally:
        victim.end()


def finish(traffic: Traffic, victim: Victim | None = None, unknown: Unknown = Unknown.NO) -> None:
    """Wait for the end of everything, then judge it."""
    lane = traffic.lane
    wait_until(lambda: _quiet(lane), what="the end of everything")
    _answers_agree(traffic, victim)
    # Whatever a zombie still has in mind is done, or given up, before it has ended in order.
    if victim is not None and victim.alive():
        assert victim.running.stop() == 0
    evidence = Evidence(
        jobs=traffic.jobs,
        ends={job.id or "": traffic.end_of(job, lane.rescuer) for job in traffic.jobs},
        records=lane.records(),
        ledger=[
            entry
            for day in lane.redis.zrange(lane.keys.ledger_days, 0, -1)
            for _, entry in lane.redis.xrange(lane.keys.ledger(day))
        ],
        made=lane.made(),
        figures=lane.account.figures(),
        left=left_behind(lane),
        differences=lane.verify(),
        unknown=unknown,
    )
    found = violations(evidence)
    assert not found, "\n".join(found)


def all_ended(lane: Lane) -> bool:
    return all(record["status"] in _ENDED for record in lane.records().values())


def _play(case: Case, traffic: Traffic, victim: Victim) -> None:
    with ThreadPoolExecutor(1) as hands:
        acting = hands.submit(_act, case, traffic, victim)
        try:
            _strike(_Scene(case, traffic.lane, traffic, victim, acting))
        except BaseException:
            traffic.given_up.set()
            raise
    finish(traffic, victim, case.unknown)


def _act(case: Case, traffic: Traffic, victim: Victim) -> None:
    if case.scenario is not STARTING:
        wait_until(lambda: victim.struck() or victim.ready(), what="a victim that is ready")
    case.scenario.act(traffic)


def _strike(scene: _Scene) -> None:
    def struck() -> bool:
        if scene.acting.done() and (error := scene.acting.exception()):
            raise error
        return scene.victim.struck()

    wait_until(struck, what=f"a strike at {scene.case.place}")
    differences = scene.lane.verify()
    assert not differences, f"slots and records differ at the strike: {differences}"
    _BLOWS[scene.case.blow](scene)
    scene.acting.result()
    _lives_on(scene)


def _killed(scene: _Scene) -> None:
    assert scene.victim.running.process.wait(30) == -signal.SIGKILL
    scene.rescue()


def _goes_on(scene: _Scene) -> None:
    scene.rescue()


def _paused(scene: _Scene) -> None:
    at_strike = scene.lane.records()
    scene.rescue()
    wait_until(lambda: _taken_over(scene, at_strike), what="the others to take over")
    scene.victim.go_on()


def _taken_over(scene: _Scene, at_strike: dict[str, dict[str, str]]) -> bool:
    """Whether nothing is any more in the hands that it was in when the victim was stopped."""
    held = {t: r for t, r in at_strike.items() if r["status"] in ("claimed", "sending")}
    now = scene.lane.records()
    if not held:
        return scene.acting.done() and all(r["status"] in _ENDED for r in now.values())
    for task, record in held.items():
        if record["status"] == "sending" and now[task]["status"] == "sending":
            return False
        if record["status"] == "claimed" and now[task]["claim"] == record["claim"]:
            return False
    return True


def _store_killed(scene: _Scene) -> None:
    pid = scene.lane.store_pid()
    if scene.case.place.startswith("before "):
        _given_up(scene, pid)
        scene.lane.kill_store(pid)
    else:
        scene.lane.kill_store(pid)
        scene.victim.go_on()
    scene.rescue()


def _store_stalls(scene: _Scene) -> None:
    pid = scene.lane.store_pid()
    _given_up(scene, pid)
    os.kill(pid, signal.SIGCONT)
    scene.rescue()


def _given_up(scene: _Scene, store_pid: int) -> None:
    """Stop the store, and let the victim make its call: it lies there until nobody waits for it."""
    os.kill(store_pid, signal.SIGSTOP)
    scene.victim.go_on()
    # What must be stored is tried again, and that is logged; what a caller waits for is refused.
    wait_until(
        lambda: (
            "waiting for the store" in scene.victim.running.log_text()
            or scene.traffic.unanswered > 0
        ),
        what="the call to be given up",
    )


def _store_full(scene: _Scene) -> None:
    """Nothing is taken in, and what was taken in ends."""
    redis = scene.lane.redis
    redis.config_set("maxmemory", 1)
    try:
        scene.victim.go_on()
        job = scene.traffic.new_job(key=f"{scene.traffic.name} full")
        answer = scene.traffic.ask_once(scene.victim.running, "POST", CREATE, job)
        assert answer.status_code == 503, answer.text
        scene.lane.account.let_tasks_end()
        wait_until(lambda: all_ended(scene.lane), what="the end of what was taken in")
    finally:
        redis.config_set("maxmemory", 0)
    scene.rescue()
    scene.traffic.submit([job])


def _told_to_stop(scene: _Scene) -> None:
    """It leaves in order, and leaves nothing in its hands."""
    scene.victim.running.signal(signal.SIGTERM)
    scene.victim.go_on()
    assert scene.victim.running.process.wait(30) == 0
    held = [r["status"] for r in scene.lane.records().values()]
    assert not {"claimed", "sending"} & set(held), held
    scene.rescue()


_BLOWS = {
    Blow.KILL: _killed,
    Blow.PAUSE: _paused,
    Blow.RAISE: _goes_on,
    Blow.RESET: _goes_on,
    Blow.CANCEL: _goes_on,
    Blow.STORE_KILLED: _store_killed,
    Blow.STORE_STALLS: _store_stalls,
    Blow.STORE_FULL: _store_full,
    Blow.TOLD_TO_STOP: _told_to_stop,
}


def _lives_on(scene: _Scene) -> None:
    """A process that was not ended serves again. One that cannot start may end, to be started
    again by whoever runs it; but it may not be there for ever without ever being ready."""
    if scene.case.blow in (Blow.KILL, Blow.TOLD_TO_STOP):
        return
    victim, starting = scene.victim, scene.case.scenario is STARTING
    wait_until(lambda: victim.ready() or (starting and not victim.alive()), what="it to be ready")


def _quiet(lane: Lane) -> bool:
    return lane.idle() and all_ended(lane) and not left_behind(lane)


def _answers_agree(traffic: Traffic, victim: Victim | None) -> None:
    """Every replica that is there says the same of every task, and knows every key."""
    servers = [traffic.lane.rescuer]
    if victim is not None and victim.alive():
        servers.append(victim.running)
    for job in traffic.jobs:
        ends = [traffic.end_of(job, server) for server in servers]
        assert len(set(ends)) == 1, f"{job.prompt!r} ended as {ends}"
        for server in servers if job.key else []:
            again = traffic.ask("POST", CREATE, job, server)
            assert again.headers["x-task-id"] == job.id, again.text
            assert again.headers["Idempotent-Replayed"] == "true"


def _told(lane: Lane) -> str:
    """The records and whatever is not over, for whoever reads of a failure."""
    records = [f"{task} {record}" for task, record in lane.records().items()]
    return "\n".join([*records, *left_behind(lane)])
