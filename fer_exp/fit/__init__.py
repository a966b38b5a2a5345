"""From splits to a trained model: batches, steps, epochs, and going on after an end that came too early."""
