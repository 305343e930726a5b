"""How good a model is: precision@k with intervals, beside the live model and a linear one; the report."""
