"""The embedded example: a small database of Romanian documents and an untrained BERT."""
