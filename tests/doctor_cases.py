"""A small folder of images in which every fault was planted, and one without any."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("angry", "happy", "sad")
_COUNTS = {"train": 30, "val": 8, "test": 8}


def face(label: int, seed: int) -> np.ndarray:
    """An image of its own, uint8 (48, 48): random shades, and stripes whose direction tells the class."""
    draw = np.random.default_rng(seed)
    shades = np.kron(draw.uniform(60, 190, (8, 8)), np.ones((6, 6)))
    rows, columns = np.mgrid[:48, :48]
    stripes = np.sin(np.pi / 2 * (rows, columns, rows + columns)[label] + draw.uniform(0, 6))
    return (shades + 40 * stripes + draw.normal(0, 2, (48, 48))).clip(0, 255).astype(np.uint8)


def save(image: np.ndarray, root: Path, name: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def sound(root: Path) -> Path:
    """Writes a folder in which nothing is wrong."""
    for number, (split, count) in enumerate(_COUNTS.items()):
        for label, name in enumerate(CLASSES):
            for image in range(count):
                save(face(label, 1000 * number + 100 * label + image), root, f"{split}/{name}/{image:02d}.png")
    return root


def faulty(root: Path) -> Path:
    """Writes a folder with one fault of each kind; the names say which."""
    sound(root)
    copied = face(0, 9001)
    save(copied, root, "train/angry/copy_a.png")
    save(copied, root, "train/angry/copy_b.png")
    torn = face(1, 9002)
    save(torn, root, "train/happy/torn_a.png")
    save(torn, root, "train/happy/torn_b.png")
    save(torn, root, "train/sad/torn_c.png")
    for number, split in ((9003, "test"), (9004, "val")):
        save(face(2, number), root, f"train/sad/seen_in_{split}.png")
        save(face(2, number), root, f"{split}/sad/seen_in_{split}.png")
    brighter = (face(0, 9005) * 0.8 + 45).astype(np.uint8)
    save(face(0, 9005), root, "train/angry/near_a.png")
    save(brighter, root, "test/angry/near_b.png")
    save(face(1, 9006), root, "train/happy/mirror_a.png")
    save(np.ascontiguousarray(face(1, 9006)[:, ::-1]), root, "train/happy/mirror_b.png")
    save(np.full((48, 48), 7, np.uint8), root, "train/sad/blank.png")
    save((face(2, 9007) * 0.15).astype(np.uint8), root, "train/sad/dark.png")
    save((face(2, 9008) * 0.15 + 215).astype(np.uint8), root, "train/sad/bright.png")
    save((face(2, 9009) * 0.15 + 100).astype(np.uint8), root, "train/sad/flat.png")
    save(face(0, 9010), root, "train/happy/wrong_1.png")
    save(face(2, 9011), root, "train/happy/wrong_2.png")
    save(face(2, 9012), root, "test/happy/wrong_3.png")
    (root / "train/sad/broken.png").write_bytes(b"\x89PNG no more")
    return root


def overrides(root: Path, *more: str) -> list[str]:
    """The words that lead to such a folder."""
    return ["dataset=image_folder", f"dataset.path={root}", "dataset.val=val", "dataset.test=test",
            "dataset.image_size=48", "dataset.channels=1", "dataset.on_bad_image=skip", *more]  # fmt: skip
