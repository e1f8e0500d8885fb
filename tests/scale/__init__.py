"""`make scale`: promises with a number in them, measured on real processes. See docs/bench.md."""
