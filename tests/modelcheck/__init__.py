"""A model of a task's life, walked through state by state until none is left."""
