"""Contract of an augmentation: `build(inputs, *, ...) -> Augment`, a stateless function on whole batches.

Called by `assembly` through `config.build` and mapped over the training split only, inside `tf.data`. An
augmentation must not know data sets or models. `inputs` are the specs of what a row consists of, by name.

`augment(batch, labels, seed, progress) -> (batch, labels)`, where

- batch: each input by its name, float32: images (batch, height, width, channels) in [0, 255], channels 1 or 3; clips
  (batch, frames, height, width, channels) in [0, 255]; sounds (batch, samples) in [-1, 1]. The batch size may be
  unknown while the graph is built, the other sizes are known;
- labels: float32 (batch, num_classes), one-hot or soft, every row adding up to 1;
- seed: int32 (2,). The same seed and the same batch give the same result;
- progress: float32 scalar in [0, 1), the share of the training's steps that are done, for what ends before the end.

Shapes, types, ranges and the sum of every row of labels are kept. Nothing may run image by image (`tf.map_fn`): compose
the operations of `fer_exp.fit.image_ops`, which `fer_exp.fit.by_kind` applies to images and clips, and of
`fer_exp.fit.mixing`, and give each its own part of `tf.random.split(seed, ...)`. What a tensor decides is decided by
`tf.cond` or `tf.where`: Python's `if` is not rewritten into them, because AutoGraph is off.

To add one, write `fer_exp/augmentation/<name>.py` with a `build` function and `conf/augmentation/<name>.yaml`
that points at it. Import the operations as `from fer_exp.fit import image_ops`, not names out of that module: those
would be looked up while options are checked, which has to work without TensorFlow.
"""

from typing import Literal

FillMode = Literal["nearest", "reflect", "constant"]
"""What lies outside the image: its edge pixel, its mirror image, or black."""
