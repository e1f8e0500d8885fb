"""Promises broken on purpose, one at a time: each must be noticed by tests that everybody runs."""
