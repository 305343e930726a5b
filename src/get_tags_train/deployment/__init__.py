"""Making a model live, going back, and the history of both."""
