"""The chaos soak: everything dies all the time, and a judge of its own counts what came of it."""
