"""An operator who speaks to the admin plane over real HTTP."""

from __future__ import annotations

from typing import Any

import httpx

from tests.harness import ADMIN_KEY, Running


class Operator:
    """Knows the admin key, unless told another."""

    def __init__(self, running: Running, key: str = ADMIN_KEY) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self.http = httpx.Client(base_url=running.url, headers=headers, timeout=30)

    def ask(self, method: str, path: str, **body: Any) -> httpx.Response:
        return self.http.request(method, f"/admin{path}", json=body or None)

    def done(self, method: str, path: str, **body: Any) -> Any:
        """What came back, which must not be a refusal."""
        answer = self.ask(method, path, **body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def refused(self, method: str, path: str, **body: Any) -> tuple[int, str, str, str | None]:
        """Status, code, message and param of a refusal."""
        answer = self.ask(method, path, **body)
        error = answer.json()["error"]
        return answer.status_code, error["code"], error["message"], error["param"]

    def add(self, name: str, **said: Any) -> dict[str, Any]:
        return self.done("POST", "/accounts", name=name, **said)

    def account(self, name: str) -> dict[str, Any]:
        return self.done("GET", f"/accounts/{name}")

    def accounts(self) -> dict[str, dict[str, Any]]:
        return {account["name"]: account for account in self.done("GET", "/accounts")["accounts"]}

    def lane(self, name: str) -> dict[str, Any]:
        (lane,) = self.account(name)["models"]
        return lane

    def close(self) -> None:
        self.http.close()
