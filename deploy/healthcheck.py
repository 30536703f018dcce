#!/usr/bin/env python3
"""The container's health check: `healthcheck [PORT [PATH]]`, exit 0 if a 200 comes back.

It asks over http.client, which knows nothing of proxies: a HTTP_PROXY in the environment is meant
for the vendor, not for this machine.
"""

import http.client
import os
import sys

port = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("GATEWAY_PORT", "8000")
path = sys.argv[2] if len(sys.argv) > 2 else "/healthz"
connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=3)
try:
    connection.request("GET", path)
    status = connection.getresponse().status
except (OSError, http.client.HTTPException) as error:
    sys.exit(f"no answer on port {port}: {error}")
if status != 200:
    sys.exit(f"{path} on port {port} answered {status}")
