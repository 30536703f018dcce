"""A vendor's server of our own: real HTTP, limits kept, playable videos, faults on demand.

It speaks bigmodel's wire format and geekai's, over the same accounts, tasks and faults. It stands
alone and imports nothing else of the package: a judge that shares the code shares the bug.

Read `vendor.py` for what it knows, `bigmodel.py` and `geekai.py` for how it speaks, `faults.py` for
how it can misbehave, and `control.py` for how tests tell it to; a running one shows that at
/simulator/docs.
"""
