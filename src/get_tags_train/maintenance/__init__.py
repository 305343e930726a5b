"""Checks before a run, lists of data and models, what may go, how long a run takes."""
