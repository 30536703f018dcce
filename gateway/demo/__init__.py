"""`gateway demo`: the whole way on one machine, told as it happens.

Real processes and real HTTP: a simulated vendor, a gateway with its embedded store, and a caller
who knows only the gateway's address and a key. It exits 0 only if every video was made.
"""
