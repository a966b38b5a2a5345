"""What a person needs to trust a model's numbers, beyond accuracy: `examine` measures, draws and writes all of it.

Called by `experiment` with the test split, and by `evaluate` with any split. It gets probabilities that are already
computed, and functions that compute more; it must not know how the model was trained, nor where files are logged.
"""
