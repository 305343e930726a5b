"""Retrain a BERT model that tags documents: from a database to a live model."""

__version__ = "0.1.0"
