"""HTTP: what comes in over the socket, and what goes out. Knows no Redis and no vendor."""
