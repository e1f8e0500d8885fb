"""Who is a doctor, and how we know: claims, sources, the decision (docs/verification.md)."""
