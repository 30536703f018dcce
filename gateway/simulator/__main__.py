"""`python -m gateway.simulator`."""

from gateway.simulator.command import simulator

simulator()
