"""What a kept network says of new pictures, and the network as one plain file for other software."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from mmbnft.evaluation.loaded_network import input_steps
from mmbnft.evaluation.weights import Restored
from mmbnft.tasks.dataset import build_pipeline
from mmbnft.tasks.decoding import decode_rgb
from mmbnft.utils import files
from mmbnft.utils.errors import UserError, choices

PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
BATCH = 32


class Classifier(nn.Module):
    """From normalised images to class scores, without the host's framework around it.

    Args:
        model: The host's algorithm.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.backbone: nn.Module = model.backbone
        self.head: nn.Module = model.head

    def forward(self, images: Tensor) -> Tensor:
        """Scores (N, C), logits, of images (N, 3, H, W)."""
        scores: Tensor = self.head(self.backbone(images))[0]
        return scores


def find_pictures(paths: Sequence[Path]) -> list[Path]:
    """Every picture that is named, or lies anywhere in a folder that is named, in the order of their names there.

    Raises:
        UserError: A path does not exist, or there is no picture at all.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UserError(f"there is no image or folder {path}; name image files or folders")
        inside = (inner for inner in sorted(path.rglob("*")) if inner.suffix.lower() in PICTURES)
        found += inside if path.is_dir() else [path]
    if not found:
        raise UserError(f"no image in {', '.join(map(str, paths))}; images are files that end in {choices(PICTURES)}")
    return found


def class_probabilities(network: Restored, pictures: Sequence[Path], device: torch.device) -> np.ndarray:
    """Probabilities of each class for new pictures, transformed as test images are.

    Args:
        network: Of a result.
        pictures: Files.
        device: Where to compute.

    Returns:
        float32 (N, C); rows sum to 1 where an image has one class.

    Raises:
        UserError: A picture cannot be read.
    """
    model = Classifier(network.model).to(device).eval()
    several = bool(getattr(network.model.head, "multi_label", False))
    rows = []
    with torch.inference_mode():
        for batch in _batches(network, pictures):
            scores = model(batch.to(device)).float()
            rows.append((scores.sigmoid() if several else scores.softmax(dim=1)).cpu().numpy())
    return np.concatenate(rows)


def _batches(network: Restored, pictures: Sequence[Path]) -> Iterator[Tensor]:
    """Pictures as the network takes them, a batch at a time; one whose size differs begins a new batch."""
    recipe = network.spec.recipe
    transform = build_pipeline(input_steps(recipe.test_pipeline, recipe, network.certificate))
    batch: list[Tensor] = []
    for path in pictures:
        image = transform(Image.fromarray(decode_rgb(path)))
        if batch and (len(batch) == BATCH or batch[0].shape != image.shape):
            yield torch.stack(batch)
            batch = []
        batch.append(image)
    yield torch.stack(batch)


def export(network: Restored, path: Path) -> dict[str, Any]:
    """Write a network as one file of the kind that its ending says; see `EXPORTS`.

    Args:
        network: Of a result.
        path: Where to write.

    Returns:
        What a user of the file has to know, which the file holds too: `classes`, `inputs` (every transform from an RGB
        image on, normalisation included) and `scores`.

    Raises:
        UserError: The ending is unknown, or a package is missing.
    """
    write = EXPORTS.get(path.suffix.lower())
    if write is None:
        raise UserError(f"{path} must end in {choices(EXPORTS)}, which sets the format")
    recipe = network.spec.recipe
    steps = input_steps(recipe.test_pipeline, recipe, network.certificate)
    several = bool(getattr(network.model.head, "multi_label", False))
    facts = {
        "classes": list(network.classes),
        "inputs": steps,
        "normalisation": next(({k: s[k] for k in ("mean", "std")} for s in steps if s["type"] == "Normalize"), None),
        "scores": "logits; the logistic function gives probabilities"
        if several
        else "logits; softmax gives probabilities",
    }
    size = build_pipeline(steps)(Image.new("RGB", (256, 256))).shape
    write(network, path, facts, torch.zeros(1, *size))
    return facts


def _state_dict(network: Restored, path: Path, facts: dict[str, Any], sample: Tensor) -> None:
    if network.certificate.padded:
        raise UserError(
            f"the network pads in a way of its own (load certificate), which {path.name} cannot hold; export it as .pt "
            "or .onnx"
        )
    content = {"meta": facts | {"model": network.spec.model}, "state_dict": network.model.state_dict()}
    files.write_with(path, lambda stream: torch.save(content, stream))


def _torchscript(network: Restored, path: Path, facts: dict[str, Any], sample: Tensor) -> None:
    model = Classifier(network.model).eval()
    with torch.no_grad():
        traced = torch.jit.trace(model, sample)
    extra = {"meta.json": files.json_text(facts)}
    files.write_with(path, lambda stream: torch.jit.save(traced, stream, _extra_files=extra))


def _onnx(network: Restored, path: Path, facts: dict[str, Any], sample: Tensor) -> None:
    try:
        import onnx
    except ImportError as error:
        raise UserError(f"ONNX export needs a package that is not installed ({error}); pip install onnx") from error
    model = Classifier(network.model).eval()
    free = {"image": {0: "images"}, "scores": {0: "images"}}
    with tempfile.TemporaryDirectory() as folder:
        whole = str(Path(folder) / "model.onnx")
        torch.onnx.export(
            model, (sample,), whole, input_names=["image"], output_names=["scores"], dynamic_axes=free, dynamo=False
        )
        graph = onnx.load(whole)
    onnx.helper.set_model_props(graph, {"meta": files.json_text(facts)})
    files.write_with(path, lambda stream: stream.write(graph.SerializeToString()))


EXPORTS: dict[str, Callable[[Restored, Path, dict[str, Any], Tensor], None]] = {
    ".pth": _state_dict,
    ".pt": _torchscript,
    ".onnx": _onnx,
}
