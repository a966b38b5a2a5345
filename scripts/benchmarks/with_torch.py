"""PyTorch, in the plain training loop of its tutorials, with everything in memory."""

import argparse
import time
from collections.abc import Callable

import torch
from torch import nn

from benchmarks.samples import CLASSES, grey


def make(arguments: argparse.Namespace) -> Callable[[], tuple[int, float]]:
    """Returns the stretch of the net that is asked for; `torch_channels_last` uses NHWC memory."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    nets = {"cnn": SmallCnn, "fer_resnet": FerResnet}
    model = nets[arguments.net]() if arguments.net in nets else MobileNetV2(arguments.size, arguments.alpha)
    layout = torch.channels_last if arguments.contender == "torch_channels_last" else torch.contiguous_format
    model = model.to(memory_format=layout).train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    loss_of = nn.CrossEntropyLoss()
    pixels, labels = grey()
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    targets = torch.from_numpy(labels)
    steps = max(1, arguments.images // arguments.batch)

    def stretch() -> tuple[int, float]:
        began = time.perf_counter()
        order = torch.randperm(len(images))[: steps * arguments.batch]
        for rows in order.split(arguments.batch):
            batch = images[rows].float().contiguous(memory_format=layout)
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(batch), targets[rows])
            loss.backward()
            optimizer.step()
        return steps * arguments.batch, time.perf_counter() - began

    return stretch


def separable(inputs: int, outputs: int) -> nn.Sequential:
    """A depthwise 3x3 and a pointwise convolution, without padding or bias."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, groups=inputs, bias=False), nn.Conv2d(inputs, outputs, 1, bias=False)
    )


class SmallCnn(nn.Module):
    """The small CNN, layer for layer."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        channels = (1, 32, 64, 128, 128)
        for index in range(4):
            parts += [separable(channels[index], channels[index + 1])]
            parts += [nn.BatchNorm2d(channels[index + 1]), nn.ReLU(inplace=True)]
            if index % 2:
                parts += [nn.MaxPool2d(2), nn.Dropout(0.25)]
        parts += [nn.Flatten(), nn.Linear(81 * 128, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU(inplace=True)]
        parts += [nn.Dropout(0.5), nn.Linear(512, CLASSES)]
        self.net = nn.Sequential(*parts)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Grey images (batch, 1, 48, 48) in [0, 255] -> logits."""
        return self.net(images / 255)


def normalised(inputs: int, outputs: int, side: int) -> nn.Sequential:
    """A convolution that keeps height and width, without bias, and batch normalisation."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False), nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is projected where the width changes."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.net = nn.Sequential(normalised(inputs, outputs, 3), nn.ReLU(inplace=True), normalised(outputs, outputs, 3))
        nn.init.zeros_(self.net[2][1].weight)
        self.shortcut = nn.Identity() if inputs == outputs else normalised(inputs, outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, inputs, h, w) -> (batch, outputs, h, w)."""
        return nn.functional.relu(self.net(x) + self.shortcut(x), inplace=True)


class FerResnet(nn.Module):
    """The network of `model=fer_resnet`, layer for layer."""

    def __init__(self) -> None:
        super().__init__()
        width = 32
        parts: list[nn.Module] = [normalised(1, width, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        for stage, (outputs, depth) in enumerate(((32, 1), (64, 2), (128, 2), (256, 1))):
            if stage:  # as padding="same": an odd row or column at the end is the mean of what there is
                parts += [nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)]
            for _ in range(depth):
                parts += [Residual(width, outputs)]
                width = outputs
        parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(width, CLASSES)]
        self.net = nn.Sequential(*parts)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Grey images (batch, 1, 48, 48) in [0, 255] -> logits."""
        return self.net(images[:, :, 2:46, 2:46] / 127.5 - 1.0)


class Inverted(nn.Module):
    """MobileNetV2's inverted residual."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        parts: list[nn.Module] = []
        if expansion != 1:
            parts += [nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(inplace=True)]
        parts += [nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False)]
        parts += [nn.BatchNorm2d(hidden), nn.ReLU6(inplace=True)]
        parts += [nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.net = nn.Sequential(*parts)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, inputs, h, w) -> (batch, outputs, h / stride, w / stride)."""
        return x + self.net(x) if self.adds else self.net(x)


class MobileNetV2(nn.Module):
    """MobileNetV2 with the head of the second article; widths are rounded to multiples of 8 as in the paper."""

    PLAN = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))

    def __init__(self, size: int, alpha: float) -> None:
        super().__init__()
        self.resize = nn.Upsample((size, size), mode="bilinear")
        width = _rounded(32 * alpha)
        parts: list[nn.Module] = [nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU6(True)]
        for expansion, channels, depth, stride in self.PLAN:
            outputs = _rounded(channels * alpha)
            for index in range(depth):
                parts.append(Inverted(width, outputs, 1 if index else stride, expansion))
                width = outputs
        last = _rounded(1280 * max(alpha, 1.0))
        parts += [nn.Conv2d(width, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU6(True)]
        parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, 256), nn.ReLU(), nn.Dropout(0.3)]
        self.net = nn.Sequential(*parts, nn.Linear(256, CLASSES))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Grey images (batch, 1, 48, 48) in [0, 255] -> logits."""
        x = self.resize(images).expand(-1, 3, -1, -1) / 127.5 - 1.0
        return self.net(x)


def _rounded(width: float) -> int:
    new = max(8, int(width + 4) // 8 * 8)
    return new + 8 if new < 0.9 * width else new
