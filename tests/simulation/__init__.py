"""A world of two processes and one store in which everything may fail, decided by one seed.

The core is the product's own: hub, ring, cursor, group commit, ledger. What it stands on is modelled
here, without threads, tasks or a clock of the machine. `python -m tests.simulation --seed 7 --trace`
tells one story again.
"""
