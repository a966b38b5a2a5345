"""Features of images from small patches, learned without labels: quick, no network, no GPU.

Called by `classifier`. Filters are the centres of a spherical k-means over whitened patches; the responses of both
signs are pooled over a grid and their roots taken.

Source: Coates and Ng, "Learning Feature Representations with K-means", 2012.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from fer_exp import process
from fer_exp.data.stored_rows import Rows, take
from fer_exp.doctor.pool import grey, shrunk

SIZE = 48  # pixels a side that images are brought to
_PATCH, _STRIDE, _GRID = 6, 2, 4
_SAMPLES, _ROUNDS = 20_000, 10  # patches that are clustered, and how often
_REGULAR, _WHITE = 10.0, 0.1  # added to variances, of grey levels and of normalised patches
_SPARSE = 0.25  # responses below count as none
_CHUNK = 64  # images at a time: their responses stay near the cache
_ROWS = 32 * _CHUNK  # of features handed out at a time, 32 MB of 128 filters


@dataclass(frozen=True)
class Filters:
    """A learned dictionary: responses are `patches @ weights - offset`.

    Attributes:
        weights: float32 (patch pixels, filters).
        offset: float32 (filters,).
    """

    weights: np.ndarray
    offset: np.ndarray

    @property
    def width(self) -> int:
        """Features of an image."""
        return 2 * _GRID**2 * self.weights.shape[1]


def learn(images: Rows, rows: np.ndarray, count: int, seed: int) -> Filters:
    """Learns filters from patches drawn at random.

    Args:
        images: uint8 (n, height, width, channels).
        rows: int (k,), the images that are learned from; others are not looked at.
        count: Number of filters.
        seed: Of the draw.
    """
    draw = np.random.default_rng(seed)
    chosen = np.sort(draw.choice(len(rows), min(len(rows), 2000), replace=False))
    patches = np.concatenate([_patches(part) for part in _sized(take(images, rows[chosen]))])
    patches = _normal(patches[draw.integers(0, len(patches), _SAMPLES)])
    mean = patches.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(patches - mean, rowvar=False))
    whitening = ((vectors / np.sqrt(values + _WHITE)) @ vectors.T).astype(np.float32)
    white = (patches - mean) @ whitening
    centres = _unit(draw.normal(size=(count, white.shape[1])).astype(np.float32))
    for _ in range(_ROUNDS):
        responses = white @ centres.T
        nearest = np.abs(responses).argmax(axis=1)
        belongs = np.zeros_like(responses)
        belongs[np.arange(len(white)), nearest] = responses[np.arange(len(white)), nearest]
        centres = _unit(belongs.T @ white + 1e-3 * centres)  # what none is nearest to stays where it is
    weights = whitening @ centres.T
    return Filters(weights, mean @ weights)


def features(images: Rows, filters: Filters) -> Iterator[np.ndarray]:
    """Yields the features of images in order, a few thousand rows at a time: float32 (k, filters.width).

    Args:
        images: uint8 (n, height, width, channels).
        filters: From `learn`.
    """
    block, filled, left = np.empty((min(_ROWS, len(images)), filters.width), np.float32), 0, len(images)
    for answer in _answers(images, filters):
        block[filled : filled + len(answer)] = answer
        filled, left = filled + len(answer), left - len(answer)
        if filled == len(block):
            yield block
            block, filled = np.empty((min(_ROWS, left), filters.width), np.float32), 0


def _answers(images: Rows, filters: Filters) -> Iterator[np.ndarray]:
    """Yields the features of each chunk, the next ones being computed meanwhile: NumPy lets other threads run."""
    workers = process.cores()
    pending: deque[Future[np.ndarray]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for part in _sized(images):
            pending.append(pool.submit(_pooled, part, filters))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _sized(images: Rows) -> Iterator[np.ndarray]:
    """Yields grey images a chunk at a time, float32 (k, SIZE, SIZE)."""
    for part in grey(images, _CHUNK):
        yield part if part.shape[1:] == (SIZE, SIZE) else shrunk(part, SIZE)


def _patches(images: np.ndarray) -> np.ndarray:
    """Returns the patches of images, float32 (n * places, pixels)."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (_PATCH, _PATCH), axis=(1, 2))
    return windows[:, ::_STRIDE, ::_STRIDE].reshape(-1, _PATCH**2)


def _normal(patches: np.ndarray) -> np.ndarray:
    centred = patches - patches.mean(axis=1, keepdims=True)
    return centred / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + _REGULAR)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _pooled(images: np.ndarray, filters: Filters) -> np.ndarray:
    places = (SIZE - _PATCH) // _STRIDE + 1
    responses = (_normal(_patches(images)) @ filters.weights - filters.offset).reshape(
        -1, places, places, filters.weights.shape[1]
    )
    edges = np.linspace(0, places, _GRID + 1).round().astype(int)[:-1]
    both = []
    for sign in (1, -1):
        active = np.maximum(sign * responses - _SPARSE, 0)
        both.append(np.add.reduceat(np.add.reduceat(active, edges, axis=1), edges, axis=2).reshape(len(images), -1))
    return np.sqrt(np.concatenate(both, axis=1))
