"""SQL: transcripts, identities, the search index and their migrations. Frozen records in and out."""
