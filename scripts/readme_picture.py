"""Puts two pictures of a run side by side, for the head of the README.

python scripts/readme_picture.py outputs/2026-01-31/12-00-00-000000 docs/img/run.png
"""

import argparse
from pathlib import Path

from PIL import Image

HEIGHT = 640


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("picture", type=Path, help="PNG to write")
    options = parser.parse_args()
    parts = []
    for name in ("training_samples", "confusion_matrix_normalized"):
        path = options.run / "figures" / f"{name}.png"
        if not path.is_file():
            parser.error(f"run must be the folder of a finished run. Received: {options.run}, without {path.name}.")
        with Image.open(path) as picture:
            parts.append(picture.convert("RGB").resize((round(picture.width * HEIGHT / picture.height), HEIGHT)))
    whole = Image.new("RGB", (sum(part.width for part in parts), HEIGHT), "white")
    left = 0
    for part in parts:
        whole.paste(part, (left, 0))
        left += part.width
    whole.quantize(256).save(options.picture, optimize=True)


if __name__ == "__main__":
    main()
