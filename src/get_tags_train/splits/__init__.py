"""Which documents train, validate and test; the test samples; leaks between them."""
