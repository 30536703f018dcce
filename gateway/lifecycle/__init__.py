"""The life of a task, one module a step. Knows the ports only, neither HTTP nor Redis."""
