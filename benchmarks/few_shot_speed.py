"""Episodes per second of few-shot adaptation, as ratios to named loops over episodes in the same run.

    python benchmarks/few_shot_speed.py [--quick] [--repeats 5] [--threads 2] [--steps 20] [--parts bn logistic methods]

`bn`: BN tuning (protocol `bn`, SGD, all support images at every step), timed without the queries; its baseline is one
episode after the other in NCHW. `logistic`: the baseline is a loop over scikit-learn's, at its own tolerance.
`methods`: every method as a benchmark runs it, 75 queries an episode included, on drawn characters; features of all
images, which a checkpoint needs once, are not timed; the baseline is fine-tuning. Every repeat times each arm once, in
turn, so that a drift of the machine's speed meets all of them alike. Printed: episodes per second (median), the median
of the repeats' ratios with their range, the peak of memory above what the process held before, and for the grouped arms
how far the heads are from the loop's after the same steps.
"""

import argparse
import copy
import ctypes
import logging
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from mmbnft.evaluation.solvers.episodes import fit_episodes
from mmbnft.fewshot import (
    EpisodeSettings,
    FewShotSpec,
    Method,
    prepare_subject,
    write_manifest,
)
from mmbnft.fewshot.arm import EpisodesArm
from mmbnft.fewshot.grouped import GroupedAdapter, group_size
from mmbnft.models import ProtocolBackbone, pooled_features
from mmbnft.recipes.recipe import Recipe
from mmbnft.tasks import build_task
from mmbnft.zoo import Checkpoint

# isort: split
# After mmbnft, which makes the host stack importable.
from mmbnft.host import BACKBONES, get_logger

WAYS = 5
OPTIMIZER = dict(type="SGD", lr=1e-3, momentum=0.9)
PARTS = ["bn", "logistic", "methods"]


@dataclass
class Arm:
    """One way to do the same work.

    Attributes:
        name: What is printed.
        run: Does it for a number of episodes.
        episodes: That number.
        rates: Episodes per second of each repeat.
        memory: Largest peak of memory above the start, MiB.
    """

    name: str
    run: Callable[[], object]
    episodes: int
    rates: list[float] = field(default_factory=list)
    memory: float = 0.0

    def measure(self) -> None:
        """Run once and take time and memory."""
        before = _reset_peak()
        started = time.perf_counter()
        self.run()
        self.rates.append(self.episodes / (time.perf_counter() - started))
        self.memory = max(self.memory, _memory("VmHWM") - before)


def _reset_peak() -> float:
    """Give freed memory back and set the process's peak of memory to what it holds now, MiB (Linux with glibc)."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def compare(title: str, arms: list[Arm], repeats: int) -> None:
    """Measure arms in turn and print them against the first."""
    for arm in arms:
        arm.run()
    for _ in range(repeats):
        for arm in arms:
            arm.measure()
    print(f"\n{title}\n{'arm':<34} {'episodes/s':>10} {'ratio':>7}  {'range':<13} {'MiB':>6}")
    for arm in arms:
        ratios = [own / base for own, base in zip(arm.rates, arms[0].rates, strict=True)]
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        print(f"{arm.name:<34} {statistics.median(arm.rates):>10.2f} {statistics.median(ratios):>7.2f}  "
              f"{spread:<13} {arm.memory:>6.0f}")  # fmt: skip


def one_by_one(network: nn.Module, images: Tensor, labels: Tensor, steps: int, layout: torch.memory_format) -> Tensor:
    """The ordinary protocol code, episode after episode; the heads' weights (E, classes, D)."""
    heads = []
    for own, targets in zip(images, labels, strict=True):
        backbone = ProtocolBackbone(copy.deepcopy(network), "bn").to(memory_format=layout).train()
        batch = own.contiguous(memory_format=layout)
        head = nn.Linear(backbone.feat_dim, WAYS)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        trained = [*(p for p in backbone.parameters() if p.requires_grad), *head.parameters()]
        optimizer = torch.optim.SGD(trained, lr=OPTIMIZER["lr"], momentum=OPTIMIZER["momentum"])
        for _ in range(steps):
            loss = nn.functional.cross_entropy(head(pooled_features(backbone(batch))), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        heads.append(head.weight.detach())
    return torch.stack(heads)


def bn_tuning(width: int, size: int, shots: int, groups: int, args: argparse.Namespace) -> None:
    """BN tuning of a ResNet-18, grouped and one by one."""
    torch.manual_seed(0)
    get_logger("mmcv").setLevel(logging.WARNING)  # it has a message for every tensor initialised
    network = BACKBONES.get("ResNet")(
        depth=18, stem_channels=width, base_channels=width, out_indices=[4], norm_cfg=dict(type="BN")
    )
    network.init_weights()
    images = torch.randn(groups, WAYS * shots, 3, size, size)
    labels = torch.arange(WAYS).repeat(groups, shots)
    adapter = GroupedAdapter(network, "bn", groups, WAYS)
    few = min(groups, 4)

    def grouped() -> None:
        adapter.fit(images, labels, OPTIMIZER, args.steps)

    def loop(layout: torch.memory_format) -> Callable[[], Tensor]:
        return lambda: one_by_one(network, images[:few], labels[:few], args.steps, layout)

    arms = [Arm("one by one, NCHW (baseline)", loop(torch.contiguous_format), few),
            Arm("one by one, channels last", loop(torch.channels_last), few),
            Arm(f"grouped, G = {groups}", grouped, groups)]  # fmt: skip
    compare(f"BN tuning: ResNet-18 of width {width}, {size} px, {WAYS}-way {shots}-shot, {args.steps} steps",
            arms, args.repeats)  # fmt: skip
    grouped()
    expected = loop(torch.contiguous_format)()
    apart = (adapter.head_weight[:few] - expected).abs().max() / expected.abs().max()
    print(
        f"heads of the grouped and the baseline's runs differ by {apart:.1e} of the largest weight (single precision)"
    )


def logistic(shots: int, width: int, episodes: int, repeats: int) -> None:
    """Logistic regression on features like those behind a ReLU."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(WAYS).repeat(episodes, shots)
    centres = torch.randn(episodes, WAYS, width, generator=generator)
    noise = torch.randn(episodes, WAYS * shots, width, generator=generator)
    features = (0.5 * centres[torch.arange(episodes)[:, None], labels] + noise).clamp(min=0)

    def loop() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for own, targets in zip(features.numpy(), labels.numpy(), strict=True):
                LogisticRegression(C=1.0, max_iter=1000).fit(own, targets)

    compare(f"Logistic regression: {WAYS}-way {shots}-shot, {width} features, {episodes} episodes",
            [Arm("scikit-learn, a loop (baseline)", loop, episodes),
             Arm("all episodes at once", lambda: fit_episodes(features, labels, WAYS, 1.0), episodes)],
            repeats)  # fmt: skip


def methods(repeats: int, steps: int) -> None:
    """Every method on the narrow network at 32 px."""
    recipe = Recipe(name="speed", optimizer=OPTIMIZER, steps=steps)
    backbone = dict(type="ResNet", depth=18, stem_channels=16, base_channels=16, out_indices=[4])
    model = dict(type="Classification", backbone=dict(backbone, norm_cfg=dict(type="BN")))
    task = build_task(dict(type="glyphs", image_size=32))

    def arm(method: str, episodes: int, folder: str) -> Arm:
        manifest = write_manifest(Path(folder) / method, task, EpisodeSettings(episodes=episodes))
        spec = FewShotSpec(model, method, recipe, Checkpoint.random())
        subject = prepare_subject(spec, task, manifest, torch.device("cpu"))
        run = EpisodesArm(Method.named(method), recipe, manifest, subject)
        return Arm(method, lambda: run.accuracies("test", run.candidates()[0]), episodes)

    counts = {"finetune": 4, "bn_paper": 32, "bn": 32, "linear": 600, "logistic": 600, "nearest_mean": 600}
    with tempfile.TemporaryDirectory() as folder:
        arms = [arm(method, episodes, folder) for method, episodes in counts.items()]
    compare(f"Methods: ResNet-18 of width 16, 32 px, {WAYS}-way 5-shot, 15 queries a class, {steps} steps",
            arms, repeats)  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--quick", action="store_true", help="a try-out: 2 repeats, 5 steps, 60 episodes")
    args = parser.parse_args()
    if args.quick:
        args.repeats, args.steps = 2, 5
    torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {args.threads} threads, {args.repeats} repeats")
    for width, size, shots in ((16, 32, 5), (64, 84, 5)) if "bn" in args.parts else ():
        groups = 16 if size == 32 else group_size(WAYS * shots, size, size)
        bn_tuning(width, size, shots, groups, args)
    for shots in (1, 5, 20) if "logistic" in args.parts else ():
        logistic(shots, 512, 60 if args.quick else 600, args.repeats)
    if "methods" in args.parts:
        methods(args.repeats, args.steps)


if __name__ == "__main__":
    main()
