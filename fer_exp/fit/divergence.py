"""When a loss is so large that the training has gone astray, although it is still a number.

Called by `callbacks` after each epoch and by `assessment` at the end. Batch normalisation keeps the numbers finite
whatever the weights do: with a learning rate of 1e6 a network answers always the same, at a loss of 1e13.
"""

import math

_FAR = 100  # times the loss of guessing: penalties on weights may add as much as that loss itself, but not this


def guessing(classes: int) -> float:
    """Returns the cross-entropy of answers that give each class the same probability."""
    return math.log(classes)


def is_far(loss: float, classes: int) -> bool:
    """Tells whether a loss is further from that of guessing than any model's that is learning."""
    return loss > _FAR * guessing(classes)
