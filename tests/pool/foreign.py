"""Somebody else who uses an account of ours, with a key of their own."""

from __future__ import annotations

import httpx

from tests.harness import Vendor, wait_until

PROMPT = "of another user"


class OtherUser:
    """Takes places at an account, by their own retries, and keeps them until they leave."""

    def __init__(self, vendor: Vendor, key: str) -> None:
        self._vendor = vendor
        self._http = httpx.Client(
            base_url=vendor.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=30
        )
        self._held: list[str] = []

    def take(self, places: int) -> None:
        """Ask for a place until it is given, place after place. Their tasks run on and on."""
        self._vendor.fault(on="submit", kind="task_takes", seconds=3600, prompt_contains=PROMPT)
        while len(self._held) < places:
            answer = wait_until(self._submit, 60, "a place for the other user")
            self._held.append(answer.json()["id"])

    def leave(self) -> None:
        """Everything of theirs ends, and is looked at, as the gateway looks at its own."""
        self._vendor.end(self._held)
        for task in self._held:
            self._http.get(f"/async-result/{task}").raise_for_status()
        self._http.close()

    def _submit(self) -> httpx.Response | None:
        body = {"model": "cogvideox-3", "prompt": PROMPT}
        answer = self._http.post("/videos/generations", json=body)
        assert answer.status_code in (200, 429), answer.text
        return answer if answer.status_code == 200 else None
