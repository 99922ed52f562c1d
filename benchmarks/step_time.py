"""Time of one training step per protocol, as a ratio to end-to-end fine-tuning in the same run.

    python benchmarks/step_time.py [--depth 50] [--size 224] [--batch 16] [--repeats 5]

Every repeat times each arm once, in turn, so that a drift of the machine's speed meets all of them alike. Printed:
median seconds, the median of the repeats' ratios, and their range. The baseline is a full fine-tuning step in NCHW,
which is how MMSelfSup's own loop runs on a CPU.
"""

import argparse
import statistics
import time

import torch
from torch import nn

from mmbnft.models import BnftLinearHead

# isort: split
# After mmbnft, which makes the host stack importable.
from mmselfsup.models.builder import build_algorithm

BASELINE = ("finetune", torch.contiguous_format)
ARMS = [BASELINE, *((p, torch.channels_last) for p in ("finetune", "bn", "bn_paper", "bn_frozen_stats", "linear"))]


def build(protocol: str, depth: int, layout: torch.memory_format) -> nn.Module:
    """A ResNet under a protocol, in train mode."""
    backbone = dict(type="ResNet", depth=depth, out_indices=[4], norm_cfg=dict(type="BN"))
    wrapped = dict(type="ProtocolBackbone", protocol=protocol, backbone=backbone)
    width = 2048 if depth >= 50 else 512
    head = dict(type="BnftLinearHead", in_channels=width, num_classes=100)
    model = build_algorithm(dict(type="Classification", backbone=wrapped, head=head))
    assert isinstance(model.head, BnftLinearHead)
    return model.to(memory_format=layout).train()


def step_seconds(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Seconds of forward, backward and one SGD step."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trainable, lr=1e-3, momentum=0.9)
    started = time.perf_counter()
    loss = model(images, mode="train", label=labels)["loss"]
    loss.backward()
    optimizer.step()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=50)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    images = torch.rand(args.batch, 3, args.size, args.size)
    labels = torch.randint(0, 100, (args.batch,))
    models = {arm: build(arm[0], args.depth, arm[1]) for arm in ARMS}
    seconds: dict[tuple, list[float]] = {arm: [] for arm in ARMS}
    for repeat in range(args.repeats + 1):
        for arm, model in models.items():
            taken = step_seconds(model, images, labels)
            if repeat:  # the first round warms up
                seconds[arm].append(taken)
            model.zero_grad(set_to_none=True)
    print(f"ResNet-{args.depth}, {args.size} px, batch {args.batch}, {torch.get_num_threads()} threads, "
          f"torch {torch.__version__}, {args.repeats} repeats")  # fmt: skip
    print(f"{'protocol':<16} {'layout':<14} {'seconds':>8} {'ratio':>6}  range")
    for arm, taken in seconds.items():
        ratios = [b / t for b, t in zip(seconds[BASELINE], taken, strict=True)]
        layout = "channels last" if arm[1] is torch.channels_last else "NCHW"
        print(f"{arm[0]:<16} {layout:<14} {statistics.median(taken):>8.2f} {statistics.median(ratios):>6.2f}  "
              f"{min(ratios):.2f}-{max(ratios):.2f}")  # fmt: skip
    print("ratio: how many times faster than the baseline, the first row")


if __name__ == "__main__":
    main()
