"""Every key of a pool. All carry one hash tag, so a pool lives on one shard of any cluster.

| key                       | type   | holds                                   | lives          |
| ------------------------- | ------ | --------------------------------------- | -------------- |
| task:<id>                 | hash   | the record of a task                    | retention      |
| images:<id>               | string | JSON array of a task's images           | until submitted |
| queue:<class>:<team>      | zset   | waiting task ids by order of arrival    | while any wait |
| waiting:<class>           | zset   | teams by the order of their first task  | while any wait |
| classes                   | set    | classes with waiting tasks              | while any wait |
| slots:<account>:<model>   | set    | ids of tasks that hold a slot there     | while any hold |
| places:<team>             | set    | ids of tasks in a place of the team     | while any hold |
| leases                    | zset   | claimed, sending, unknown: until when   | while any hold |
| due                       | zset   | in_progress: when to look next          | while any run  |
| rests                     | hash   | what is left alone: until when, why     | permanent      |
| limits:<provider>:<model> | hash   | account -> tasks in flight              | permanent      |
| limited                   | set    | names of the limits, to renew them      | permanent      |
| caps                      | hash   | team -> tasks in flight                 | permanent      |
| settings                  | string | the JSON that the three above are from  | permanent      |
| order                     | string | the last order number given             | permanent      |

"Retention" counts from a task's end; until then its record has no lifetime. Images of a task
that was never admitted go after an hour. The permanent ones are bounded by the settings.
A class is `<model>@<provider>+<provider>`. Members and fields never hold a secret.
"""

from __future__ import annotations

PERMANENT = ("rests", "limits:*", "limited", "caps", "settings", "order")


class Keyspace:
    """Names the keys of one pool."""

    def __init__(self, pool: str) -> None:
        self.tag = f"{{gw:{pool}}}"
        self.leases = self._key("leases")
        self.due = self._key("due")
        self.classes = self._key("classes")
        self.rests = self._key("rests")

    def _key(self, *parts: str) -> str:
        return ":".join((self.tag, *parts))

    def task(self, task_id: str) -> str:
        return self._key("task", task_id)

    def images(self, task_id: str) -> str:
        return self._key("images", task_id)

    def slots(self, account: str, model: str) -> str:
        return self._key("slots", account, model)

    def places(self, team: str) -> str:
        return self._key("places", team)

    def waiting(self, task_class: str) -> str:
        return self._key("waiting", task_class)

    def queue(self, task_class: str, team: str) -> str:
        return self._key("queue", task_class, team)
