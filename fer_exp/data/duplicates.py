"""Rows that occur more than once, value for value.

Called by what looks at data (the doctor, the experiment before it trains) and at results (metrics without
leaked rows). It knows no data set.
"""

import hashlib

import numpy as np

from fer_exp.data import inputs as rows_of
from fer_exp.data.inputs import Inputs


def digests(inputs: Inputs) -> np.ndarray:
    """Returns a digest of the values of each row, bytes (n,); equal for equal rows.

    Args:
        inputs: Rows of each input by its name.
    """
    found = []
    for part in rows_of.chunks(inputs):
        for row in zip(*part.values(), strict=True):
            digest = hashlib.blake2b(digest_size=16)
            for values in row:
                digest.update(np.ascontiguousarray(values).data)
            found.append(digest.digest())
    return np.array(found, dtype=object)


def known(those: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns which of some digests are among others, bool (n,).

    Args:
        those: Digests (n,).
        others: Digests (m,).
    """
    seen = set(others.tolist())
    return np.array([digest in seen for digest in those.tolist()], bool)
