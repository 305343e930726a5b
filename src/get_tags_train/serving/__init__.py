"""Answers from a live model: HTTP, files of texts, batches, hot reload."""
