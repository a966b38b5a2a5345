"""The comparisons of training speed."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from benchmarks.race import Effort, Entry, run, table

SMALL_CNN = {
    "fer_exp": "fer_exp",
    "fer_exp_eigen": "fer_exp, without oneDNN",
    "fer_exp_light": "fer_exp, light augmentation",
    "fer_exp_bfloat16": "fer_exp, mixed_bfloat16",
    "keras": "Keras 3, tf.data",
    "article_image_data_generator": "article: ImageDataGenerator",
    "article_generator": "article: a row at a time",
    "torch": "PyTorch",
    "torch_channels_last": "PyTorch, channels last",
}
FER_RESNET = {
    name: SMALL_CNN[name]
    for name in ("fer_exp", "fer_exp_eigen", "fer_exp_bfloat16", "keras", "torch", "torch_channels_last")
}
MOBILENET = {
    "fer_exp": "fer_exp",
    "fer_exp_eigen": "fer_exp, without oneDNN",
    "fer_exp_bfloat16": "fer_exp, mixed_bfloat16",
    "keras": "Keras 3, keras.applications",
    "tf_keras": "tf_keras",
    "torch": "PyTorch",
    "torch_channels_last": "PyTorch, channels last",
}


def cnn(effort: Effort) -> pd.DataFrame:
    """Small CNN, 48x48, at three batch sizes."""
    found = [_race(SMALL_CNN, effort, "cnn", batch=batch) for batch in _batches(effort, 32, 64, 128)]
    return pd.concat(found, ignore_index=True)


def fer_resnet(effort: Effort) -> pd.DataFrame:
    """fer_resnet, 48x48, at two batch sizes."""
    found = [_race(FER_RESNET, effort, "fer_resnet", batch=batch) for batch in _batches(effort, 64, 128)]
    return pd.concat(found, ignore_index=True)


def mobilenet_v2(effort: Effort) -> pd.DataFrame:
    """MobileNetV2 at 96x96, batch 64, in two widths."""
    found = []
    for alpha in (1.0, 0.35):
        rows = _race(MOBILENET, effort, "mobilenet_v2", size=96, alpha=alpha, images=256)
        rows.insert(1, "alpha", alpha)
        found.append(rows)
    return pd.concat(found, ignore_index=True)


def precision(effort: Effort) -> pd.DataFrame:
    """float32 against mixed_bfloat16 for every model, which is what `precision=auto` goes by."""
    nets = [
        ("cnn", 48, 1.0, 1024),
        ("fer_resnet", 48, 1.0, 1024),
        ("mobilenet_v1", 96, 0.25, 512),
        ("mobilenet_v2", 96, 1.0, 256),
        ("mobilenet_v2", 96, 0.35, 512),
    ]
    contenders = {"fer_exp_bfloat16": "mixed_bfloat16", "fer_exp": "float32"}
    found = []
    for net, size, alpha, images in nets:
        rows = _race(contenders, effort, net, size=size, alpha=alpha, batch=128, images=images)
        rows.insert(0, "net", net if net in ("cnn", "fer_resnet") else f"{net} {alpha:g}, {size} px")
        found.append(rows)
    return pd.concat(found, ignore_index=True)


def augmentation_in_training(effort: Effort) -> pd.DataFrame:
    """What augmentation costs a training."""
    contenders = {"fer_exp": "none", "fer_exp_light": "light", "fer_exp_strong": "strong"}
    found = []
    for net in ("cnn", "fer_resnet"):
        rows = _race(contenders, effort, net, batch=64, images=2048)
        rows.insert(0, "net", net)
        found.append(rows)
    return pd.concat(found, ignore_index=True)


def overhead(effort: Effort) -> pd.DataFrame:
    """Epochs of 16,384 images: a bare `fit` against the same with checkpoints, progress and MLflow."""
    contenders = {"bare_fit": "bare fit", "framework_fit": "with checkpoints, progress and MLflow"}
    return _race(contenders, effort, "cnn", batch=64, images=16_384)


def caching(effort: Effort) -> pd.DataFrame:
    """A stage in which only the head learns, with features computed once and in every step."""
    contenders = {"head_cached": "features computed once", "head_each_step": "features in every step"}
    return _race(contenders, effort, "mobilenet_v2", size=96, alpha=0.35, batch=64, images=1024)


def scaling(effort: Effort) -> pd.DataFrame:
    """Images a second over batch size and threads."""
    found = []
    for net, size, alpha in (("cnn", 48, 1.0), ("fer_resnet", 48, 1.0), ("mobilenet_v2", 96, 0.35)):
        for threads in (1, 2):
            entries = [
                Entry("fer_exp", net, size=size, alpha=alpha, batch=batch, threads=threads, images=512)
                for batch in (16, 32, 64, 128, 256)
            ]
            rates = run(entries, effort)
            row = {
                f"batch {e.batch}": round(float(rate))
                for e, rate in zip(entries, pd.DataFrame(rates).median(), strict=True)
            }
            found.append({"net": net, "threads": threads, **row})
    return pd.DataFrame(found)


def cost(effort: Effort) -> pd.DataFrame:
    """Minutes for an epoch of FER2013's 28,709 training images, for each model and input size."""
    found = []
    for net, alpha, sizes in (
        ("cnn", 1.0, (48,)),
        ("fer_resnet", 1.0, (48, 96)),
        ("mobilenet_v1", 0.25, (48, 96, 128)),
        ("mobilenet_v2", 0.35, (48, 96, 128, 224)),
        ("mobilenet_v2", 1.0, (48, 96)),
    ):
        for size in sizes:
            entry = Entry("fer_exp", net, size=size, alpha=alpha, images=256)
            rates = run([entry], effort)
            rate = float(pd.Series(rates[:, 0]).median())
            name = net if net in ("cnn", "fer_resnet") else f"{net} {alpha:g}"
            found.append(
                {"net": name, "size": size, "images/s": round(rate), "minutes an epoch": round(28709 / rate / 60, 2)}
            )
    return pd.DataFrame(found)


def _batches(effort: Effort, *usual: int) -> tuple[int, ...]:
    return usual if effort.batch is None else (effort.batch,)


def _race(contenders: Mapping[str, str], effort: Effort, net: str, **options: Any) -> pd.DataFrame:
    """Returns the table of a race between contenders, which are given with their labels.

    Those that train in bfloat16 stay away where the processor does not multiply it, the one without oneDNN where
    TensorFlow by itself would have it.
    """
    absent = (
        "fer_exp_bfloat16" if not effort.cpu.bfloat16 else "",
        "fer_exp_eigen" if effort.cpu.kind != "AVX2" else "",
    )
    able = {name: label for name, label in contenders.items() if name not in absent}
    entries = [Entry(name, net, **options) for name in able]
    return table(entries, run(entries, effort), list(able.values()))
