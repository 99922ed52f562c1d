"""Every container x network that is read: tensors matched, seconds to verify, or the sentence that refuses it.

Files are written with random weights in each layout; `--full` takes networks of their published size.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from mmbnft.utils.errors import UserError
from mmbnft.zoo import Architecture, ResNet
from mmbnft.zoo.architecture import LibraryNetwork
from mmbnft.zoo.conversion import verify
from mmbnft.zoo.library import build_library_network
from mmbnft.zoo.sources import resolve

State = dict[str, Tensor]
SMALL = {"ResNet": Architecture(depth=18, base_channels=8, stem_channels=8)}
FULL = {"ResNet": Architecture()}
OTHERS = {
    "EfficientNet-Lite0": LibraryNetwork("timm", "tf_efficientnet_lite0"),
    "ViT-Tiny": LibraryNetwork("timm", "vit_tiny_patch16_224"),
}


def under(prefix: str) -> Callable[[State], State]:
    """Puts a prefix before every key."""
    return lambda state: {prefix + key: value for key, value in state.items()}


def two(first: str, second: str) -> Callable[[State], Any]:
    """Two different backbones in one file."""
    return lambda state: {first: state, second: {key: value + 1 for key, value in state.items()}}


CONTAINERS: dict[str, Callable[[State], Any]] = {
    "bare": dict,
    "safetensors": dict,
    "`state_dict`": lambda s: {"state_dict": s, "epoch": 1},
    "`model`": lambda s: {"model": s},
    "`model_state_dict`": lambda s: {"model_state_dict": s},
    "`teacher`, `backbone.`": lambda s: {"teacher": under("backbone.")(s)},
    "`state_dict_ema`": lambda s: {"state_dict_ema": s},
    "VISSL": lambda s: {"classy_state_dict": {"base_model": {"model": {"trunk": under("_feature_blocks.")(s)}}}},
    "Lightning, `backbone.`": lambda s: {"state_dict": under("backbone.")(s), "pytorch-lightning_version": "2"},
    "Lightning, `student.backbone.`": lambda s: {"state_dict": under("student.backbone.")(s)},
    "`module.`": under("module."),
    "`module.module.`": under("module.module."),
    "`_orig_mod.`": under("_orig_mod."),
    "`encoder.`": under("encoder."),
    "`momentum_backbone.`": under("momentum_backbone."),
    "`timm_model.`": under("timm_model."),
    "float16": lambda s: {key: v.half() if v.is_floating_point() else v for key, v in s.items()},
    "bfloat16": lambda s: {key: v.bfloat16() if v.is_floating_point() else v for key, v in s.items()},
    "MMSelfSup 1.x": lambda s: {
        "meta": {}, "state_dict": under("backbone.")(s) | under("target_net.module.0.")(s)
        | {"target_net.steps": torch.tensor(3)},
    },
    "`student` and `teacher`": two("student", "teacher"),
    "float64": lambda s: {key: v.double() for key, v in s.items()},
    "one tensor less": lambda s: dict(list(s.items())[1:]),
}  # fmt: skip


def tried(content: Any, network: Architecture | LibraryNetwork, folder: Path, safe: bool) -> str:
    """One cell of the table."""
    path = folder / ("a.safetensors" if safe else "a.pth")
    save_file(content, path) if safe else torch.save(content, path)
    # Two networks of timm have the tensors of EfficientNet-Lite0; of the others the tensors tell.
    stated = str(network) if network == OTHERS["EfficientNet-Lite0"] else ""
    started = time.perf_counter()
    try:
        found = verify(resolve(str(path), network=stated))
    except UserError as error:
        return str(error).replace("|", "/")
    cast = f", cast from {found.cast}" if found.cast else ""
    return f"{found.matched} of {found.expected}{cast} ({found.format}), {time.perf_counter() - started:.2f} s"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="ResNet-50 rather than a narrow ResNet-18")
    networks = (FULL if parser.parse_args().full else SMALL) | OTHERS
    print(f"| container | {' | '.join(networks)} |\n|{' --- |' * (1 + len(networks))}")
    with tempfile.TemporaryDirectory() as folder:
        for name, wrap in CONTAINERS.items():
            cells = []
            for network in networks.values():
                torch.manual_seed(0)
                built = ResNet(network) if isinstance(network, Architecture) else build_library_network(network)
                cells.append(tried(wrap(dict(built.state_dict())), network, Path(folder), name == "safetensors"))
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
