"""Journeys: real processes, real databases, real kills; the judge reads what is on disk."""
