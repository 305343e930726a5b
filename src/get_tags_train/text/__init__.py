"""Pure functions of a text: cleaning, tags, tokenizing, near-duplicate shingles."""
