"""Cost of the linear arm: the regularisation grid, feature extraction and both together, each against its baseline.

    python benchmarks/linear_arm.py [--quick] [--repeats 3] [--threads 2] [--parts grid extraction arm]

(a) 45 weight decays at 3,760 x 2,048 features and 47 classes: `solve_grid` against scikit-learn's LogisticRegression
    warm-started along the grid in float64 with its defaults, as Ericsson et al. published it. The features are drawn:
    class means and noise with a power-law spectrum, mixed by a random rotation, behind a ReLU.
(b) ResNet-50 features at 224 px, batch 16: folded, channels-last, inference mode and freed memory kept, against a plain
    NCHW forward pass in eval mode under no_grad.
(c) The arm: (b) on all images and (a), against 23 epochs of SGD through the frozen backbone in NCHW, with one forward
    pass an image and epoch. Steps are timed and scaled to the number of images.

Every repeat times each side once, in turn. Printed: median seconds, the median of the repeats' ratios and their range;
peak memory of the process after each side, which runs in a process of its own.
"""

import argparse
import multiprocessing
import resource
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from mmbnft.evaluation.folding import folded
from mmbnft.evaluation.solvers.logistic import solve_grid
from mmbnft.models import BnftLinearHead, pooled_features
from mmbnft.utils.memory import keep_freed_memory

# isort: split
# After mmbnft, which makes the host stack importable.
from mmbnft.host import build_backbone

EPOCHS = 23
WEIGHT_DECAYS = np.logspace(-6, 5, 45).tolist()


@dataclass(frozen=True)
class Size:
    """How large everything is."""

    images: int = 3760
    width: int = 2048
    classes: int = 47
    depth: int = 50
    pixels: int = 224
    batch: int = 16


QUICK = Size(images=240, width=64, classes=6, depth=18, pixels=64, batch=8)


def draw(size: Size, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features float32 and labels to fit, and half as many to choose on."""
    rng = np.random.default_rng(seed)
    spectrum = (1 + np.arange(size.width)) ** -0.6
    centres = 0.25 * rng.standard_normal((size.classes, size.width)) * spectrum
    rotation = np.linalg.qr(rng.standard_normal((size.width, size.width)))[0]
    parts = []
    for count in (size.images, size.images // 2):
        labels = rng.integers(size.classes, size=count)
        labels[: size.classes] = np.arange(size.classes)
        values = (centres[labels] + rng.standard_normal((count, size.width)) * spectrum) @ rotation
        parts += [np.maximum(0.6 * values / values.std() + 0.1, 0).astype(np.float32), labels]
    return parts[0], parts[1], parts[2], parts[3]


def convex_grid(size: Size, seed: int) -> dict[str, Any]:
    """Objective and val accuracy (percent) at each weight decay by `solve_grid`."""
    features, labels, val, val_labels = draw(size, seed)
    started = time.perf_counter()
    solutions = solve_grid(torch.from_numpy(features), torch.from_numpy(labels), size.classes, WEIGHT_DECAYS)
    seconds = time.perf_counter() - started
    scores = [one.scores(torch.from_numpy(val)).numpy().argmax(1) for one in solutions]
    return {
        "seconds": seconds,
        "objective": [one.objective for one in solutions],
        "val": [float(100 * np.mean(score == val_labels)) for score in scores],
        "open": sum(not one.converged for one in solutions),
    }


def published_grid(size: Size, seed: int) -> dict[str, Any]:
    """The same by scikit-learn's warm-started path; only the fits are timed."""
    features, labels, val, val_labels = draw(size, seed)
    inputs = features.astype(np.float64)
    model, seconds = LogisticRegression(warm_start=True), 0.0
    objectives, vals = [], []
    for decay in WEIGHT_DECAYS:
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.set_params(C=1 / decay).fit(inputs, labels)
        seconds += time.perf_counter() - started
        logs = model.predict_log_proba(inputs)[np.arange(len(labels)), labels]
        objectives.append(float(-logs.sum() / decay + (model.coef_**2).sum() / 2))
        vals.append(float(100 * np.mean(model.predict(val.astype(np.float64)) == val_labels)))
    return {"seconds": seconds, "objective": objectives, "val": vals}


def backbone_of(size: Size) -> torch.nn.Module:
    """A ResNet in eval mode."""
    config = dict(type="ResNet", depth=size.depth, out_indices=[4], norm_cfg=dict(type="BN"))
    backbone = build_backbone(config)
    backbone.eval()  # the host's backbones return nothing here
    return backbone


def fast_extraction(size: Size, seed: int) -> dict[str, Any]:
    """Seconds a batch, folded, channels-last, in inference mode, with memory kept as a benchmark's workers keep it."""
    keep_freed_memory()
    images = torch.rand(size.batch, 3, size.pixels, size.pixels, generator=torch.Generator().manual_seed(seed))
    model = folded(backbone_of(size), images[:1])
    with torch.inference_mode():
        return {"seconds": per_call(lambda: pooled_features(model(images)))}


def plain_extraction(size: Size, seed: int) -> dict[str, Any]:
    """Seconds a batch, NCHW, in eval mode under no_grad."""
    images = torch.rand(size.batch, 3, size.pixels, size.pixels, generator=torch.Generator().manual_seed(seed))
    model = backbone_of(size)
    with torch.no_grad():
        return {"seconds": per_call(lambda: pooled_features(model(images)))}


def per_call(call: Callable[[], object], calls: int = 3) -> float:
    """Seconds a call, after one to warm up."""
    call()
    started = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - started) / calls


def solved_arm(size: Size, seed: int) -> dict[str, Any]:
    """Seconds of the arm: features of all images, scaled from a batch, and the whole grid."""
    batches = size.images / size.batch
    return {"seconds": fast_extraction(size, seed)["seconds"] * batches + convex_grid(size, seed)["seconds"]}


def trained_arm(size: Size, seed: int) -> dict[str, Any]:
    """Seconds of 23 epochs of SGD on the head through the frozen backbone, scaled from a step; one rate, no search."""
    images = torch.rand(size.batch, 3, size.pixels, size.pixels, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(size.batch) % size.classes
    model = backbone_of(size).requires_grad_(False)
    with torch.no_grad():
        width = pooled_features(model(images)).shape[1]
    head = BnftLinearHead(width, size.classes)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.01, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        head.loss(head(model(images)), labels)["loss"].backward()
        optimizer.step()

    return {"seconds": per_call(step) * EPOCHS * size.images / size.batch}


PARTS = {
    "grid": (convex_grid, published_grid),
    "extraction": (fast_extraction, plain_extraction),
    "arm": (solved_arm, trained_arm),
}


def in_own_process(work: Callable[[Size, int], dict[str, Any]], size: Size, seed: int, threads: int) -> dict[str, Any]:
    """What `work` returns, with `peak` bytes of the process it ran in."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (work, size, seed, threads))


def _measured(work: Callable[[Size, int], dict[str, Any]], size: Size, seed: int, threads: int) -> dict[str, Any]:
    torch.set_num_threads(threads)
    return work(size, seed) | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def report(name: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """Print one part's table."""
    ratios = [b["seconds"] / a["seconds"] for a, b in zip(ours, theirs, strict=True)]
    for label, rows in zip(PARTS[name], (ours, theirs), strict=True):
        seconds = statistics.median(row["seconds"] for row in rows)
        peak = statistics.median(row["peak"] for row in rows) / 2**20
        print(f"{name:<12} {label.__name__:<18} {seconds:>10.3f} s {peak:>8.0f} MiB")
    print(f"{name:<12} {'ratio':<18} {statistics.median(ratios):>10.2f}   {min(ratios):.2f}-{max(ratios):.2f}")
    if name == "grid":
        excess = [max(a / b - 1 for a, b in zip(one["objective"], other["objective"], strict=True))
                  for one, other in zip(ours, theirs, strict=True)]  # fmt: skip
        worse = [max(b / a - 1 for a, b in zip(one["objective"], other["objective"], strict=True))
                 for one, other in zip(ours, theirs, strict=True)]  # fmt: skip
        apart = [max(abs(a - b) for a, b in zip(one["val"], other["val"], strict=True))
                 for one, other in zip(ours, theirs, strict=True)]  # fmt: skip
        print(f"objective above scikit-learn's at most {max(excess):+.1e}, scikit-learn's above ours up to "
              f"{max(worse):.1e} (relative, of 45 values); val accuracy apart up to {max(apart):.1f} points; "
              f"not converged: {sum(one['open'] for one in ours)}")  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="toy size, to try the script")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    args = parser.parse_args()
    size = QUICK if args.quick else Size()
    print(f"{size}, {args.threads} threads, torch {torch.__version__}, {args.repeats} repeats")
    for name in args.parts:
        sides: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
        for seed in range(args.repeats):
            for side, work in zip(sides, PARTS[name], strict=True):
                side.append(in_own_process(work, size, seed, args.threads))
        report(name, *sides)
    print("ratio: how many times faster the first row is than the second, the baseline")


if __name__ == "__main__":
    main()
