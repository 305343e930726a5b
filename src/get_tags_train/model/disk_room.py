"""How much room on the disk a training takes."""

KEPT_CHECKPOINTS = 2


def bytes_to_train(parameters: int) -> int:
    """Bytes of all that lies on the disk at most while a model of so many parameters is trained."""
    weights = 4 * parameters
    # A checkpoint holds weights and two values of optimizer state for each, and one more is being written; then there
    # are the weights of the best epoch and of the model itself.
    return 3 * weights * (KEPT_CHECKPOINTS + 1) + 2 * weights
