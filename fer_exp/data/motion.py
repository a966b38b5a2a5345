"""How strong an expression is over the frames of a clip.

Called by `dataset.synthetic`. It knows no face and no label.
"""

import numpy as np


def course(count: int, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Returns whole courses: from rest through an onset to an apex, and back in an offset that takes longer.

    Args:
        count: Number of clips.
        frames: Of a clip, >= 1.
        rng: Draws the moments: the onset begins within the first fifth and takes 0.15 to 0.35 of the clip, the apex 0.1
            to 0.25, the offset 0.2 to 0.4.

    Returns:
        float64 (count, frames), 0 at rest, 1 at the apex.
    """
    time = _moments(frames)
    begin, onset, apex, offset = (
        rng.uniform(low, high, (count, 1)) for low, high in ((0, 0.2), (0.15, 0.35), (0.1, 0.25), (0.2, 0.4))
    )
    rises = _smooth((time - begin) / onset)
    falls = _smooth((time - begin - onset - apex) / offset)
    return rises - falls


def half(rises: np.ndarray, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Returns halves of courses: an expression that comes, or one that goes.

    One that goes is one that comes, backwards: single frames do not tell which of the two they are of, nor do all of
    them without their order.

    Args:
        rises: bool (count,), whether it comes.
        frames: Of a clip, >= 1.
        rng: Draws the moments: the change begins within the first three tenths and takes 0.4 to 0.7 of the clip.

    Returns:
        float64 (count, frames), 0 at rest, 1 at the apex.
    """
    begin, length = (rng.uniform(low, high, (len(rises), 1)) for low, high in ((0, 0.3), (0.4, 0.7)))
    comes = _smooth((_moments(frames) - begin) / length)
    return np.where(rises[:, None], comes, comes[:, ::-1])


def _moments(frames: int) -> np.ndarray:
    return (np.arange(frames) + 0.5) / frames


def _smooth(share: np.ndarray) -> np.ndarray:
    """Returns 0 below 0, 1 above 1, and a rise without edges between."""
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)
