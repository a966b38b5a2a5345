"""What goes wrong with pictures of faces, in five severities: blur, noise, bad light, a hand in front of the face ...

Called by `robustness`. Whole batches of uint8 images go in and come out; NumPy, SciPy and Pillow only. Lengths are
shares of the shorter side, so that images of any size suffer alike.

Source:
    Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations", 2019,
    https://arxiv.org/abs/1903.12261 (the idea and most kinds; amounts are chosen for small pictures).
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

SEVERITIES = 5
_Apply = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Corruption:
    """A kind of damage.

    Attributes:
        unit: What the amounts are, for people.
        amounts: One for each severity, the mildest first.
        apply: (uint8 images, amount, random numbers) -> images of the same shape, any type, in [0, 255] after clipping.
    """

    unit: str
    amounts: tuple[float, ...]
    apply: _Apply

    def __call__(self, images: np.ndarray, severity: int, seed: int) -> np.ndarray:
        """Returns damaged images.

        Args:
            images: uint8 (n, height, width, channels).
            severity: 1 to `SEVERITIES`; 0 leaves the images as they are.
            seed: Of what is random in it.
        """
        if not severity:
            return images
        random = np.random.default_rng([seed, severity])
        changed = self.apply(images, self.amounts[severity - 1], random)
        return np.clip(np.rint(changed), 0, 255).astype(np.uint8)


def _blur(images: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    sigma = share * min(images.shape[1:3])
    return ndimage.gaussian_filter(images.astype(np.float32), (0, sigma, sigma, 0), mode="nearest")


def _noise(images: np.ndarray, deviation: float, random: np.random.Generator) -> np.ndarray:
    return images + 255 * deviation * random.standard_normal(images.shape, np.float32)


def _brightness(images: np.ndarray, added: float, random: np.random.Generator) -> np.ndarray:
    return images + np.float32(255 * added)


def _darkness(images: np.ndarray, kept: float, random: np.random.Generator) -> np.ndarray:
    return images * np.float32(kept)


def _contrast(images: np.ndarray, kept: float, random: np.random.Generator) -> np.ndarray:
    mean = images.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float32)
    return mean + (images - mean) * np.float32(kept)


def _occlusion(images: np.ndarray, area: float, random: np.random.Generator) -> np.ndarray:
    """A black square at a place of each image's own, whole within the image."""
    count, height, width = images.shape[:3]
    side = round(np.sqrt(area * height * width))
    top = random.integers(0, max(height - side, 0) + 1, count)[:, None, None]
    left = random.integers(0, max(width - side, 0) + 1, count)[:, None, None]
    row, column = np.arange(height)[None, :, None], np.arange(width)[None, None, :]
    hidden = (row >= top) & (row < top + side) & (column >= left) & (column < left + side)
    return np.where(hidden[..., None], 0, images)


def _rotation(images: np.ndarray, degrees: float, random: np.random.Generator) -> np.ndarray:
    """Half of the images to the left, half to the right, drawn; what was outside is the nearest edge."""
    left = random.permutation(len(images)) % 2 == 0
    turned = images.astype(np.float32)
    for chosen, angle in ((left, degrees), (~left, -degrees)):
        if chosen.any():
            turned[chosen] = ndimage.rotate(turned[chosen], angle, (2, 1), reshape=False, order=1, mode="nearest")
    return turned


def _low_resolution(images: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Shrunk by averaging, and enlarged again."""
    height, width = images.shape[1:3]
    small = (max(1, round(share * width)), max(1, round(share * height)))

    def shrunk(picture: Image.Image) -> Image.Image:
        return picture.resize(small, Image.Resampling.BOX).resize((width, height), Image.Resampling.BILINEAR)

    return _by_pillow(images, shrunk)


def _jpeg(images: np.ndarray, quality: float, random: np.random.Generator) -> np.ndarray:
    def compressed(picture: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=int(quality))
        return Image.open(buffer)

    return _by_pillow(images, compressed)


def _by_pillow(images: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    grey = images.shape[3] == 1
    changed = [np.asarray(change(Image.fromarray(image[..., 0] if grey else image))) for image in images]
    return np.stack(changed).reshape(images.shape)


CORRUPTIONS: Mapping[str, Corruption] = {
    "blur": Corruption("sigma, share of the side", (0.01, 0.02, 0.03, 0.045, 0.06), _blur),
    "noise": Corruption("standard deviation, share of white", (0.03, 0.06, 0.1, 0.15, 0.2), _noise),
    "brightness": Corruption("added, share of white", (0.1, 0.2, 0.3, 0.4, 0.5), _brightness),
    "darkness": Corruption("share of light kept", (0.7, 0.5, 0.35, 0.2, 0.1), _darkness),
    "contrast": Corruption("share of contrast kept", (0.7, 0.5, 0.35, 0.2, 0.1), _contrast),
    "occlusion": Corruption("share of the image hidden", (0.05, 0.1, 0.2, 0.3, 0.4), _occlusion),
    "rotation": Corruption("degrees, to either side", (5, 10, 20, 30, 45), _rotation),
    "low_resolution": Corruption("share of the resolution kept", (0.75, 0.5, 0.375, 0.25, 0.1875), _low_resolution),
    "jpeg": Corruption("quality of the JPEG", (60, 40, 20, 10, 5), _jpeg),
}
"""By name, as `evaluation.robustness` names them."""
