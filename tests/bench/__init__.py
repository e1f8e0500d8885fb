"""`make bench`: what the server's work costs, measured on a real `lounge serve`. See docs/bench.md."""
