"""From a database or a file to tags_vX: read, clean, tokenize, keep, compare."""
