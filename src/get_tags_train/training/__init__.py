"""Fine-tuning: batches, a step, the loop, checkpoints, and the model folder that comes of it."""
