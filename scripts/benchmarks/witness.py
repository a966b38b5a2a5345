"""Computes a little, so that a library tells in its verbose mode which instructions it uses.

    ONEDNN_VERBOSE=1 MKL_VERBOSE=1 PYTHONPATH=scripts python -m benchmarks.witness torch

Called by `avx2.py`.
"""

import sys


def tensorflow() -> None:
    """A matrix multiply and a convolution, whose matrix multiply is oneDNN's in any case."""
    import tensorflow as tf

    @tf.function
    def compute() -> tuple[tf.Tensor, tf.Tensor]:
        images, kernels = tf.ones([2, 8, 8, 3]), tf.random.normal([3, 3, 3, 8])
        return tf.nn.conv2d(images, kernels, 1, "SAME"), tf.matmul(tf.random.normal([64, 64]), tf.ones([64, 64]))

    compute()


def torch() -> None:
    """The same, and the instruction set of PyTorch's own kernels."""
    import torch

    print("torch kernels:", torch.backends.cpu.get_cpu_capability())
    if torch.backends.mkl.is_available():
        print("torch has MKL")
    torch.nn.functional.conv2d(torch.ones(2, 3, 8, 8), torch.randn(8, 3, 3, 3))
    torch.randn(64, 64) @ torch.ones(64, 64)


if __name__ == "__main__":
    {"tensorflow": tensorflow, "torch": torch}[sys.argv[1]]()
