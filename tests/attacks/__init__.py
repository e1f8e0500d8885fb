"""Attackers who are given what leaves the house, and tests that they learn nothing from it."""
