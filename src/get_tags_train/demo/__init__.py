"""The embedded example: a small database of Romanian documents and a small BERT."""
