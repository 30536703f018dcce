"""Every key of a pool. All carry one hash tag, so a pool lives on one shard of any cluster.

| key                             | type   | holds                               | lives           |
| ------------------------------- | ------ | ----------------------------------- | --------------- |
| task:<id>                       | hash   | the record of a task                | retention       |
| steps:<id>                      | list   | the steps of its life               | retention       |
| tasks:<team>                    | zset   | ids of these: order of admission    | while any       |
| ended                           | zset   | team and id of the ended: how long  | while any       |
| images:<id>                     | string | JSON array of a task's images       | until submitted |
| queue:<class>:<team>            | zset   | waiting task ids, oldest first      | while any wait  |
| waiting:<class>                 | set    | teams with waiting tasks            | while any wait  |
| classes                         | set    | classes with waiting tasks          | while any wait  |
| deadlines                       | zset   | waiting task ids: until when        | while any wait  |
| slots:<account>:<model>         | set    | ids of tasks that hold a slot there | while any hold  |
| transit:<account>:<model>       | set    | of these, the claimed and sending   | while any       |
| unknown:<account>:<model>       | set    | of these, the unknown ones          | while any       |
| breaker:<account>:<model>       | hash   | lost answers in a row, when to try  | until an answer |
| places:<team>                   | set    | ids of tasks in a place of the team | while any hold  |
| leases                          | zset   | what is leased or held: until when  | while any hold  |
| due                             | zset   | in_progress: when to look next      | while any run   |
| idempotency:<team>:<key digest> | string | task id, digest of its request      | its own time    |
| remembered                      | zset   | names of these: until when          | while any       |
| ledger:<day>                    | stream | one entry for each task ended then  | ledger time     |
| ledger_days                     | zset   | days that have one, by number       | while any       |
| first_open_day                  | string | no day before it gets entries       | permanent       |
| spend:<period>                  | hash   | what is reserved and spent of it    | ledger time     |
| spend:all                       | hash   | the same since ever                 | permanent       |
| archived:<period>               | hash   | what was spent by entries gone      | as spend        |
| periods                         | zset   | days and months: when they are over | ledger time     |
| usage:<hour>                    | hash   | sums of what ended in that hour     | usage time      |
| usage_hours                     | zset   | hours that have one, by number      | usage time      |
| first_usage_hour                | string | number of the first hour kept       | permanent       |
| archives                        | hash   | day -> its file: hash, entries      | permanent       |
| rates                           | hash   | team or key -> submits taken ahead  | permanent       |
| audit                           | stream | what operators did                  | the latest      |
| bytes                           | hash   | team -> bytes of what waits         | permanent       |
| tags                            | hash   | team -> how much it was given       | permanent       |
| virtual                         | string | the tag of the latest start         | permanent       |
| clock                           | hash   | wall: last seen; now: logical time  | permanent       |
| rests                           | hash   | what is left alone, until when, why | permanent       |
| lanes:<provider>:<model>        | hash   | account -> its limits (lanes.py)    | permanent       |
| lanes_of                        | hash   | account -> names of its lanes       | permanent       |
| of_settings                     | set    | accounts that the settings have     | permanent       |
| made:<account>                  | set    | models that it had tasks of         | permanent       |
| keys                            | hash   | account -> ids of its API keys      | permanent       |
| accounts                        | hash   | name -> an account kept here        | permanent       |
| accounts_version                | string | counts the changes of accounts      | permanent       |
| retired                         | set    | versions of secrets out of use      | permanent       |
| account_states                  | hash   | account -> paused or draining, why  | permanent       |
| effective                       | hash   | lanes with less room than they say  | permanent       |
| budgets                         | hash   | what is left to spend on refusals   | permanent       |
| troubles                        | hash   | account -> what went wrong last     | permanent       |
| turns                           | hash   | lanes and keys -> their last turn   | permanent       |
| turn                            | string | the last turn given                 | permanent       |
| durations:<provider>:<model>    | list   | the latest ends, as looks saw them  | permanent       |
| durations:<...>:<form>          | list   | the same of one form of its videos  | permanent       |
| teams                           | hash   | name -> a team kept here            | permanent       |
| team_keys                       | hash   | id -> a team's key, by its digest   | permanent       |
| prices                          | hash   | id -> a line of the price book      | permanent       |
| operators                       | hash   | id -> whom the admin plane knows    | permanent       |
| tenants_version                 | string | counts the changes of these four    | permanent       |
| session:<digest>                | string | a browser's session                 | its own time    |
| caps                            | hash   | team -> tasks in flight             | permanent       |
| weights                         | hash   | team -> its share, by proportion    | permanent       |
| order                           | string | the last order number given         | permanent       |

"Retention" counts from a task's end; until then its record has no lifetime. `events` is a
channel, not a key: what pool.lua tells all processes. Images of a task
that was never admitted go after ten minutes. The permanent ones are bounded by the settings.
A class is `<model>@<provider>+<provider>`; a form of a video is `<size>:<quality>:<seconds>`, of
what the catalogue offers, with `-` for what was not said. Members and fields never hold a secret.

Nothing that a task needs has a lifetime of the server's: that would run on a clock that jumps.
What is kept for a time has its end in a zset, on the logical clock of pool.lua, and the sweeper
removes it.
"""

from __future__ import annotations

PERMANENT = (
    "ledger:*",
    "ledger_days",
    "first_open_day",
    "spend:*",
    "archived:*",
    "periods",
    "usage:*",
    "usage_hours",
    "first_usage_hour",
    "archives",
    "rates",
    "teams",
    "team_keys",
    "prices",
    "operators",
    "tenants_version",
    "audit",
    "bytes",
    "tags",
    "virtual",
    "clock",
    "rests",
    "lanes:*",
    "lanes_of",
    "of_settings",
    "made:*",
    "keys",
    "accounts",
    "accounts_version",
    "retired",
    "account_states",
    "effective",
    "budgets",
    "troubles",
    "turns",
    "turn",
    "durations:*",
    "caps",
    "weights",
    "order",
)


class Keyspace:
    """Names the keys of one pool."""

    def __init__(self, pool: str) -> None:
        self.tag = f"{{gw:{pool}}}"
        self.leases = self._key("leases")
        self.due = self._key("due")
        self.classes = self._key("classes")
        self.deadlines = self._key("deadlines")
        self.remembered = self._key("remembered")
        self.rests = self._key("rests")
        self.clock = self._key("clock")
        self.bytes = self._key("bytes")
        self.ledger_days = self._key("ledger_days")
        self.first_open_day = self._key("first_open_day")
        self.periods = self._key("periods")
        self.usage_hours = self._key("usage_hours")
        self.first_usage_hour = self._key("first_usage_hour")
        self.archives = self._key("archives")
        self.teams = self._key("teams")
        self.team_keys = self._key("team_keys")
        self.prices = self._key("prices")
        self.operators = self._key("operators")
        self.tenants_version = self._key("tenants_version")
        self.audit = self._key("audit")
        self.ended = self._key("ended")
        self.events = self._key("events")
        self.accounts = self._key("accounts")
        self.accounts_version = self._key("accounts_version")
        self.retired = self._key("retired")
        self.account_states = self._key("account_states")
        self.effective = self._key("effective")
        self.troubles = self._key("troubles")

    def _key(self, *parts: str) -> str:
        return ":".join((self.tag, *parts))

    def task(self, task_id: str) -> str:
        return self._key("task", task_id)

    def tasks(self, team: str) -> str:
        return self._key("tasks", team)

    def images(self, task_id: str) -> str:
        return self._key("images", task_id)

    def slots(self, account: str, model: str) -> str:
        return self._key("slots", account, model)

    def unknown(self, account: str, model: str) -> str:
        return self._key("unknown", account, model)

    def breaker(self, account: str, model: str) -> str:
        return self._key("breaker", account, model)

    def durations(self, *of: str) -> str:
        """Of a provider, a model, and a form of its videos where one is meant."""
        return self._key("durations", *of)

    def ledger(self, day: str) -> str:
        return self._key("ledger", day)

    def usage(self, hour: str) -> str:
        return self._key("usage", hour)

    def spend(self, period: str) -> str:
        return self._key("spend", period)

    def archived(self, period: str) -> str:
        return self._key("archived", period)

    def session(self, digest: str) -> str:
        return self._key("session", digest)

    def places(self, team: str) -> str:
        return self._key("places", team)

    def waiting(self, task_class: str) -> str:
        return self._key("waiting", task_class)

    def steps(self, task_id: str) -> str:
        return self._key("steps", task_id)

    def queue(self, task_class: str, team: str) -> str:
        return self._key("queue", task_class, team)
