"""Clients that write down all they do, faults while they do it, and a judge who trusts neither side."""
