"""What can be seen of the gateway from outside: metrics, logs and traces of what happens."""
