"""The images that an integer network's ranges are taken from.

Called by the export options. It must not know networks.
"""

import numpy as np

from fer_exp.dataset import Split


def sample(split: Split, count: int, seed: int) -> np.ndarray:
    """Draws images so that each class has its share, whatever order the split is in.

    Args:
        split: The training split.
        count: Images to draw, >= 1; all of them if there are no more.
        seed: Of the draw.

    Returns:
        uint8 (min(count, n), height, width, channels).
    """
    shuffled = np.random.default_rng(seed).permutation(len(split))
    place = np.empty(len(split))  # of each row within its class, between 0 and 1
    for label in np.unique(split.labels):
        rows = shuffled[split.labels[shuffled] == label]
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    # The rows below any place are that share of every class.
    drawn = shuffled[np.argsort(place[shuffled], kind="stable")[:count]]
    return split.images[np.sort(drawn)]
