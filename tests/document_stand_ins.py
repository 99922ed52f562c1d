"""What a test machine lacks of what the documents name, in miniature: pictures, weight files, tables, data sets.

Only data and weights are made smaller here. Recipes, executors, workers and every option stay as users get them.
"""

import itertools
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
import torch
from PIL import Image

from mmbnft.pretraining.small_files import write_checkpoint
from mmbnft.results import Coordinates, write_result
from mmbnft.utils.files import sha256_json
from mmbnft.zoo import Architecture
from mmbnft.zoo.network import ResNet

NARROW = Architecture(depth=18, base_channels=4, stem_channels=4)
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
ROOT = Path(__file__).parents[1]
# The first words of a line that is a command and not output or a file's content.
STARTERS = ("python", "make", "pip", "torchrun", "mim", "mmbnft", "git", "sbatch", "export")


@dataclass(frozen=True)
class Command:
    """One command of a document, its continuation lines joined and its comment dropped."""

    document: str
    text: str


def documents() -> list[Path]:
    """README.md and every page of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(document: Path) -> list[Command]:
    """Every command of the document's fenced blocks, in order."""
    name = str(document.relative_to(ROOT))
    return [Command(name, text) for block in _blocks(document.read_text(encoding="utf-8")) for text in block]


def _blocks(text: str) -> Iterator[list[str]]:
    """Lines of each fenced block of commands; blocks in a language, and output, are left out."""
    fences = re.split(r"(?m)^(```.*)$", text)
    for opening, content in zip(fences[1::4], fences[2::4], strict=False):
        joined = re.sub(r"\\\n\s*", " ", content)
        lines = [" ".join(re.sub(r"(^|\s)#.*$", "", line).split()) for line in joined.splitlines()]
        lines = [line for line in lines if line]
        if opening in ("```", "```sh", "```bash", "```console") and lines[0].split()[0] in STARTERS:
            yield lines


def sandbox(folder: Path) -> Path:
    """A copy of the user's part of a checkout, and what the documents take for granted beside it.

    Returns:
        The folder, for commands to be run in.
    """
    for name in ("configs", "tools", "benchmarks", "data", "requirements"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pretrained_models", "mmbnft"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("Makefile", "setup.py", "pyproject.toml"):
        shutil.copy2(ROOT / name, folder / name)
    # The environment that the tests run in stands for the one that `make` makes.
    (folder / ".venv" / "bin").mkdir(parents=True)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (folder / ".venv" / ".installed").touch()
    make_weights(folder / "weights")
    shrink_configurations(folder / "configs")
    return folder


def make_weights(folder: Path) -> None:
    """Three files of the narrow network that stands for ResNet-50, which prove what they are."""
    folder.mkdir()
    for number, name in enumerate("abc"):
        torch.manual_seed(number)
        state = ResNet(NARROW).state_dict()
        write_checkpoint(folder / f"{name}.pth", {"architecture": NARROW.to_dict(), "normalisation": IMAGENET}, state)


def shrink_configurations(configs: Path) -> None:
    """Stand-ins for published ResNet-50 checkpoints, less data, fewer episodes: everything else stays."""
    backbone = {**NARROW.to_dict(), "in_channels": 3, "out_indices": [4], "norm_cfg": {"type": "BN"}}
    model = {"type": "Classification", "backbone": backbone, "head": {"type": "BnftLinearHead"}}
    (configs / "_base_/models/resnet50.py").write_text(f"model = {model}\n")
    for path in configs.rglob("*.py"):
        text = path.read_text()
        text = text.replace('"group:study12"', '"weights/a.pth", "weights/b.pth"')
        text = re.sub(r'"moco-v2", "swav", "supervised"', '"weights/a.pth", "weights/b.pth", "random"', text)
        few = '"tiny-simclr"' if path.parent.name == "few_shot" else '"tiny-simclr", "tiny-rotation"'
        text = text.replace('"group:tiny"', few).replace(', "pirl", "supervised"', "")
        text = text.replace("splits=list(range(10))", "splits=[0]")
        text = re.sub(r"\b(train_size|val_size|test_size)=\d+", r"\1=32", text)
        text = re.sub(r"\bepisodes=(\d{2,})", "episodes=4", text)
        text = re.sub(r"\bvalidation=(\d+)", "validation=2", text)
        path.write_text(text)
    digits = configs / "digits/tiny18.py"
    digits.write_text(digits.read_text() + "task = dict(train_size=40, val_size=20, test_size=40)\n")
    # One pre-training recipe stands for the twelve.
    for path in (configs / "pretrain").glob("*.py"):
        if path.name != "rotation.py":
            path.unlink()


def make_photos(folder: Path, classes: int = 2, each: int = 8, size: int = 48) -> None:
    """Pictures in one folder per class; a class is told by its colour. Folders of another place hold other pictures."""
    random = np.random.default_rng(list(str(folder).encode()))
    for number in range(classes):
        place = folder / f"class{number}"
        place.mkdir(parents=True)
        for image in range(each):
            pixels = random.integers(0, 120, (size, size, 3), dtype=np.uint8)
            pixels[..., number % 3] += np.uint8(90 + 15 * (number // 3))
            Image.fromarray(pixels).save(place / f"{image}.png")


def make_arrays(path: Path, each: int, classes: int = 6, size: int = 64) -> None:
    """An array file of `each` pictures of every class, as docs/few_shot.md describes it."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), each)
    images = random.integers(0, 150, (len(labels), size, size, 3), dtype=np.uint8)
    images[..., 0] += (labels * 15).astype(np.uint8)[:, None, None]
    np.savez(path, images=images, labels=labels)


def make_prepared_task(
    root: Path, name: str, classes: int = 2, each: tuple[int, int, int] = (2, 1, 1), metric: str = "top1"
) -> None:
    """A prepared task as tools/prepare_data.py leaves it."""
    make_photos(root / "images", classes, sum(each))
    (root / "lists" / "0").mkdir(parents=True)
    start = 0
    for split, count in zip(("train", "val", "test"), each, strict=True):
        lines = [f"class{c}/{n}.png {c}" for c in range(classes) for n in range(start, start + count)]
        (root / "lists" / "0" / f"{split}.txt").write_text("\n".join(lines) + "\n")
        start += count
    content = {"name": name, "classes": [f"class{c}" for c in range(classes)], "metric": metric}
    (root / "task.json").write_text(json.dumps(content))


def make_parquet(path: Path, pictures: Path) -> None:
    """A table of encoded pictures and their classes, as the Hub keeps data sets."""
    files = sorted(pictures.rglob("*.png"))
    images = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    pandas.DataFrame({"image": images, "label": [file.parent.name for file in files]}).to_parquet(path)


def make_table(path: Path, protocols: tuple[str, ...] = ("linear", "bn", "finetune")) -> None:
    """A long CSV of values in percent, as people write it, of published checkpoints on three tasks."""
    random = np.random.default_rng(0)
    lines = ["checkpoint,task,protocol,split,seed,value"]
    for number, checkpoint in enumerate(("byol", "infomin", "moco-v1", "moco-v2", "pcl-v1", "pcl-v2", "swav")):
        for task in ("aircraft", "cars", "dtd"):
            quality = 60 + 3 * number
            lines += [f"{checkpoint},{task},{p},0,0,{quality + random.normal():.2f}" for p in protocols]
    path.write_text("\n".join(lines) + "\n")


def make_results(folder: Path) -> None:
    """Result files of seven checkpoints on three tasks, as a grid leaves them."""
    random = np.random.default_rng(1)
    for number, task, protocol in itertools.product(
        range(7), ("aircraft", "cars", "dtd"), ("linear", "bn", "finetune")
    ):
        where = (f"model{number}", task, protocol, "clean", 0, 0)
        value = 60 + 3 * number + random.normal()
        result = Coordinates(*where, key=sha256_json(where), metric="top1").succeeded(value, {"seconds": 1.0}, {})
        write_result(folder, result)


def environment() -> dict[str, str]:
    """The tests' own environment, with this checkout's package first."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "OMP_"))}
    return kept | {"PYTHONPATH": os.pathsep.join(paths), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
