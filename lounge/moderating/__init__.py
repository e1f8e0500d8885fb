"""Moderating: acts and modes, reports and appeals, sanctions, rules before posting, the board."""
