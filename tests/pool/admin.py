"""The operator: changes accounts while the gateway runs."""

from __future__ import annotations

from typing import Any

import httpx

from tests.harness import ADMIN_KEY, Running


class Operator:
    def __init__(self, running: Running) -> None:
        self._http = httpx.Client(
            base_url=f"{running.url}/admin",
            headers={"Authorization": f"Bearer {ADMIN_KEY}"},
            timeout=30,
        )

    def account(self, name: str) -> dict[str, Any]:
        """An account as `GET /admin/accounts` tells it."""
        accounts = self._ask("GET", "/accounts")["accounts"]
        return next(account for account in accounts if account["name"] == name)

    def lane(self, name: str, model: str = "cogvideox-3") -> dict[str, Any]:
        models = self.account(name)["models"]
        return next(lane for lane in models if lane["model"] == model)

    def key_ids(self, name: str) -> list[str]:
        return [key["id"] for key in self.account(name)["keys"]]

    def add(self, name: str, **fields: Any) -> None:
        self._ask("POST", "/accounts", {"name": name} | fields)

    def change(self, name: str, **fields: Any) -> None:
        self._ask("PATCH", f"/accounts/{name}", fields)

    def drain(self, name: str) -> None:
        self._ask("POST", f"/accounts/{name}/drain")

    def resume(self, name: str) -> None:
        self._ask("POST", f"/accounts/{name}/resume")

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._http.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None
