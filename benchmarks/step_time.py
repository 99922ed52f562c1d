"""Time and memory of one training step per protocol, as ratios to the host's way of doing it in the same run.

    python benchmarks/step_time.py [--depth 50] [--size 224] [--batch 16] [--repeats 5] [--device cpu] [--quick]

The host's way: NCHW tensors, the C library's default allocation, every activation kept. Every arm lives in a process
of its own, so its peak memory is its own and allocators do not mix; the arms take turns, one step each, so that a drift
of the machine's speed meets all of them alike. Printed: median seconds; how many times faster than a full fine-tuning
step and than a step of the same protocol, both done the host's way (median of the repeats' ratios, and the range of the
first); activations kept for the backward pass; peak memory, of the process or of its tensors on a GPU. On a GPU the
table has steps in bfloat16 too.
"""

import argparse
import multiprocessing
import resource
import statistics
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch
from torch import Tensor, nn

from mmbnft.models import BnftLinearHead
from mmbnft.utils.memory import keep_freed_memory

# isort: split
# After mmbnft, which makes the host stack importable.
from mmbnft.host import build_algorithm


@dataclass(frozen=True)
class Arm:
    """One way of doing a step."""

    protocol: str
    ours: bool = True  # channels-last, freed memory kept; else as the host does it
    lean: bool = False
    precision: torch.dtype = torch.float32

    @property
    def label(self) -> str:
        """How the step is done."""
        if self.precision != torch.float32:
            return str(self.precision).removeprefix("torch.")
        return ("lean" if self.lean else "channels-last") if self.ours else "host"


PROTOCOLS = ("finetune", "bn", "bn_frozen_stats", "linear")
ARMS = (
    *(Arm(protocol, ours=False) for protocol in PROTOCOLS),
    *(Arm(protocol) for protocol in (*PROTOCOLS[:2], "bn_paper", *PROTOCOLS[2:])),
    Arm("bn", lean=True),
    Arm("bn_frozen_stats", lean=True),
)
GPU_ARMS = tuple(Arm(protocol, precision=torch.bfloat16) for protocol in PROTOCOLS)


def build(arm: Arm, depth: int) -> nn.Module:
    """A ResNet under the arm's protocol, in train mode."""
    backbone = dict(type="ResNet", depth=depth, out_indices=[4], norm_cfg=dict(type="BN"))
    wrapped = dict(type="ProtocolBackbone", protocol=arm.protocol, backbone=backbone)
    width = 2048 if depth >= 50 else 512
    head = dict(type="BnftLinearHead", in_channels=width, num_classes=100)
    model = build_algorithm(dict(type="Classification", backbone=wrapped, head=head))
    assert isinstance(model.head, BnftLinearHead)
    model.backbone.saves_memory, model.backbone.precision = arm.lean, arm.precision
    return model.to(memory_format=torch.channels_last if arm.ours else torch.contiguous_format).train()


def saved_bytes(model: nn.Module, loss: Tensor) -> int:
    """Bytes that the graph of a loss keeps, without parameters and buffers; equal storages count once."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    storages, packed, seen, waiting = {}, 0, set(), [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting.extend(parent for parent, _ in node.next_functions)
        values = [getattr(node, name) for name in dir(node) if name.startswith(("_saved_", "saved_tensors"))]
        for value in values:
            for tensor in value if isinstance(value, tuple) else (value,):
                if isinstance(tensor, Tensor) and tensor.untyped_storage().data_ptr() not in own:
                    storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        mask = getattr(node, "mask", None)
        packed += 0 if mask is None else mask.nbytes
    return sum(storages.values()) + packed


def serve(pipe: Connection, arm: Arm, args: argparse.Namespace) -> None:
    """An arm's process: one step for each request, answered by (seconds, bytes kept, peak bytes)."""
    torch.set_num_threads(args.threads)
    if arm.ours:
        keep_freed_memory()
    torch.manual_seed(0)
    images = torch.rand(args.batch, 3, args.size, args.size, device=args.device)
    labels = torch.randint(0, 100, (args.batch,), device=args.device)
    model = build(arm, args.depth).to(args.device)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-3, momentum=0.9)
    pipe.send(None)
    while pipe.recv():
        started = now(args.device)
        loss = model(images, mode="train", label=labels)["loss"]
        halfway = now(args.device)
        kept = saved_bytes(model, loss)
        resumed = now(args.device)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seconds = halfway - started + now(args.device) - resumed
        pipe.send((seconds, kept, peak_bytes(args.device)))


def now(device: str) -> float:
    """Seconds, when the device has done everything asked of it so far."""
    if device != "cpu":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def peak_bytes(device: str) -> int:
    """Peak memory of the process, on a GPU of its tensors."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(args: argparse.Namespace) -> dict[Arm, list[tuple[float, int, int]]]:
    """Let the arms take turns."""
    context = multiprocessing.get_context("spawn")
    arms = ARMS if args.device == "cpu" else (*ARMS, *GPU_ARMS)
    pipes, records = {}, {arm: [] for arm in arms}
    for arm in arms:
        pipes[arm], theirs = context.Pipe()
        context.Process(target=serve, args=(theirs, arm, args), daemon=True).start()
        theirs.close()
        pipes[arm].recv()
    for repeat in range(args.repeats + 1):
        for arm, pipe in pipes.items():
            pipe.send(True)
            record = pipe.recv()
            if repeat:  # the first round warms up
                records[arm].append(record)
    for pipe in pipes.values():
        pipe.send(False)
    return records


def print_table(records: dict[Arm, list[tuple[float, int, int]]]) -> None:
    """Print one row for each arm, as a Markdown table."""
    seconds = {arm: [record[0] for record in rows] for arm, rows in records.items()}
    print("| protocol | way | seconds | x host finetune | range | x host's own | kept MB | peak MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for arm, rows in records.items():
        full = [b / t for b, t in zip(seconds[Arm("finetune", ours=False)], seconds[arm], strict=True)]
        baseline = seconds.get(Arm(arm.protocol, ours=False))
        same = (
            f"{statistics.median(b / t for b, t in zip(baseline, seconds[arm], strict=True)):.2f}" if baseline else ""
        )
        print(
            f"| {arm.protocol} | {arm.label} | {statistics.median(seconds[arm]):.3f} | {statistics.median(full):.2f} | "
            f"{min(full):.2f}-{max(full):.2f} | {same} | {rows[-1][1] / 1e6:.1f} | {rows[-1][2] / 1e6:.0f} |"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=50)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--quick", action="store_true", help="a toy size, to see that it runs")
    args = parser.parse_args()
    if args.quick:
        args.depth, args.size, args.batch, args.repeats = 18, 64, 4, 2
    print(f"ResNet-{args.depth}, {args.size} px, batch {args.batch}, {args.threads} threads, {args.device}, "
          f"torch {torch.__version__}, {args.repeats} repeats\n")  # fmt: skip
    print_table(measure(args))


if __name__ == "__main__":
    main()
