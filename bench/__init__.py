"""Measurements, by `make bench`. What they said is kept in record.md."""
