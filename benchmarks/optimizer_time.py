"""Time of one optimiser step in one kernel for each tensor, against torch's loop over operations.

    python benchmarks/optimizer_time.py [--repeats 15]

SGD with momentum and weight decay on the values that a protocol trains. Kinds take turns; printed: median milliseconds
and the median of the repeats' ratios to the loop, and their range.
"""

import argparse
import statistics
import time

import torch

from mmbnft.models import ProtocolBackbone

# isort: split
# After mmbnft, which makes the host stack importable.
from mmbnft.host import build_backbone

TINY = dict(type="ResNet", depth=18, base_channels=16, stem_channels=16, out_indices=[4], norm_cfg=dict(type="BN"))
RESNET50 = dict(type="ResNet", depth=50, out_indices=[4], norm_cfg=dict(type="BN"))
CASES = (("narrow ResNet-18", TINY, "bn"), ("narrow ResNet-18", TINY, "finetune"), ("ResNet-50", RESNET50, "finetune"))
KINDS = {"loop": dict(foreach=False), "foreach": dict(foreach=True), "fused": dict(fused=True)}


def optimizer(config: dict, protocol: str, kind: dict) -> torch.optim.Optimizer:
    """SGD with gradients in place."""
    backbone = ProtocolBackbone(build_backbone(config), protocol)
    trained = [parameter for parameter in backbone.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.grad = torch.randn_like(parameter)
    return torch.optim.SGD(trained, lr=1e-3, momentum=0.9, weight_decay=1e-4, **kind)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    print("| network | protocol | kind | ms | ratio | range |\n| --- | --- | --- | --- | --- | --- |")
    for name, config, protocol in CASES:
        optimizers = {kind: optimizer(config, protocol, options) for kind, options in KINDS.items()}
        taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for repeat in range(args.repeats + 2):
            for kind, step in optimizers.items():
                started = time.perf_counter()
                step.step()
                if repeat > 1:  # the first rounds make the momentum
                    taken[kind].append(1e3 * (time.perf_counter() - started))
        for kind, values in taken.items():
            ratios = [base / value for base, value in zip(taken["loop"], values, strict=True)]
            print(f"| {name} | {protocol} | {kind} | {statistics.median(values):.2f} | "
                  f"{statistics.median(ratios):.2f} | {min(ratios):.2f}-{max(ratios):.2f} |")  # fmt: skip


if __name__ == "__main__":
    main()
