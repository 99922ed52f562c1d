"""The weights that a run leaves, and the network that they make together with their checkpoint."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import mmbnft.models.linear_head  # noqa: F401  (registers)
from mmbnft.artifacts import weights_path
from mmbnft.evaluation.loaded_network import built, load_checkpoint
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.host import build_algorithm
from mmbnft.models.building import scoped
from mmbnft.protocols import Phase
from mmbnft.recipes.recipe import Recipe
from mmbnft.results import Result
from mmbnft.utils.errors import UserError
from mmbnft.zoo import Checkpoint
from mmbnft.zoo.architecture import network_of_record
from mmbnft.zoo.certificate import AnyCertificate, certificate_of
from mmbnft.zoo.entry import Normalisation
from mmbnft.zoo.sources import content_hash

BACKBONE = "backbone."
# Above this share of its values changed, a network is written whole: whoever has it then needs no checkpoint.
MOST_CHANGED = 0.5


@dataclass(frozen=True)
class Adapted:
    """A fitted network in the host's layout.

    Attributes:
        head: Configuration of its head, sizes included.
        state: Every tensor, by the names of the host's algorithm (`backbone.*`, `head.*`).
        changed: Names of those that are not the checkpoint's.
    """

    head: dict[str, Any]
    state: dict[str, Tensor]
    changed: frozenset[str]


def weight_file(
    spec: RunSpec, adapted: Adapted, certificate: AnyCertificate, classes: tuple[str, ...], key: str
) -> dict[str, Any]:
    """What the weight file of a run holds: `state_dict` in the host's layout, and `meta`.

    Only tensors that the run changed are in it where they are the smaller part; `meta` then names the checkpoint that
    they complete by its hash (`completes`). Files of the other kind are read by mmcv's loader and by the zoo as they
    are.

    Args:
        spec: The run.
        adapted: Its network.
        certificate: Its load certificate.
        classes: Class names in the order of the scores.
        key: Content hash of the run.
    """
    sizes = {name: tensor.numel() for name, tensor in adapted.state.items()}
    whole = certificate.partial or spec.checkpoint.is_random
    whole = whole or sum(sizes[name] for name in adapted.changed) > MOST_CHANGED * sum(sizes.values())
    kept = adapted.state if whole else {name: adapted.state[name] for name in adapted.state if name in adapted.changed}
    meta = {
        "key": key,
        "checkpoint": spec.checkpoint_name,
        "protocol": spec.protocol,
        "model": {**spec.model, "head": adapted.head},
        "classes": list(classes),
        # Padding is no tensor, so a network that pads in its own way is always made from its checkpoint.
        "completes": None if whole and not certificate.padded else spec.checkpoint.sha256,
    }
    if certificate.normalisation and isinstance(spec.recipe.normalisation, str):
        meta["normalisation"] = certificate.normalisation
    state = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in kept.items()}
    return {"meta": meta, "state_dict": state}


@dataclass(frozen=True)
class Restored:
    """The network of a result.

    Attributes:
        model: The host's algorithm with a plain backbone, in eval mode.
        before: State of the backbone before the run; empty where it was not asked for.
        spec: The run.
        certificate: As in the result: it holds what inputs are normalised with.
        classes: Class names in the order of the scores.
    """

    model: Any
    before: dict[str, Tensor]
    spec: RunSpec
    certificate: AnyCertificate
    classes: tuple[str, ...]


def restore(result: Result, checkpoint: str | None = None, *, with_before: bool = False) -> Restored:
    """Make the network of a result from its weight file and, where that holds changes only, its checkpoint.

    Args:
        result: Read from its file.
        checkpoint: Path of the checkpoint, if it is no longer where the run found it.
        with_before: Whether to keep the state of the backbone before the run, for which the checkpoint is needed.

    Raises:
        UserError: No weights were kept, a file is missing or another one, or the network cannot be built.
    """
    content = _read(result)
    meta, state = content["meta"], content["state_dict"]
    spec = spec_of(result)
    model = built(build_algorithm, dict(meta["model"], backbone=scoped(spec.model["backbone"])))
    before: dict[str, Tensor] = {}
    if with_before or meta["completes"] is not None:
        model.backbone, _ = load_checkpoint(spec.model, _located(spec.checkpoint, checkpoint), spec.seed)
        before = {name: tensor.clone() for name, tensor in model.backbone.state_dict().items()} if with_before else {}
    odd = model.load_state_dict(state, strict=meta["completes"] is None)
    lacking = [name for name in odd.missing_keys if not name.startswith(BACKBONE)]
    if odd.unexpected_keys or lacking:
        raise UserError(f"the weights of {result.file_name} do not fit its network: {odd}; run it again")
    model.eval()
    return Restored(model, before, spec, certificate_of(result.details["certificate"]), tuple(meta["classes"]))


def _read(result: Result) -> dict[str, Any]:
    if result.folder is None:
        raise UserError("a result has weights only once it is written; read it from its file")
    path = weights_path(result.folder, result.key)
    if not path.exists():
        raise UserError(
            f"no weights were kept for {result.file_name} (looked for {path}); run it again with --keep-weights all"
        )
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise UserError(f"{path} cannot be read ({error}); restore it, or run it again") from error
    if not isinstance(content, dict) or content.get("meta", {}).get("key") != result.key:
        raise UserError(f"{path} holds no weights of {result.file_name}; restore it, or run it again")
    return content


def spec_of(result: Result) -> RunSpec:
    """The run that a result is of, as its file describes it; episodes have no such description.

    Raises:
        UserError: The result does not describe a run.
    """
    config = result.details.get("config")
    try:
        content = {entry.name: config[entry.name] for entry in dataclasses.fields(RunSpec)}  # type: ignore[index]
        content["recipe"] = Recipe(**content["recipe"])
        content["phases"] = tuple(Phase(**phase) for phase in content["phases"])
        content["checkpoint"] = _checkpoint(content["checkpoint"])
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{result.file_name} does not describe a run of this version ({error}); run it again"
        ) from error
    return RunSpec(**content)


def _checkpoint(content: dict[str, Any]) -> Checkpoint:
    architecture, normalisation = content["architecture"], content["normalisation"]
    own = {
        "architecture": network_of_record(architecture) if architecture else None,
        "normalisation": Normalisation.from_dict(normalisation) if normalisation else None,
    }
    return Checkpoint(**{**content, **own})


def _located(checkpoint: Checkpoint, moved_to: str | None) -> Checkpoint:
    """The checkpoint of a run where it is now.

    Raises:
        UserError: It is not there, or its content is another.
    """
    if checkpoint.path is None:
        return checkpoint
    path = Path(moved_to or checkpoint.path)
    if not path.exists():
        raise UserError(f"the checkpoint {checkpoint.name} is not at {path}; say where it is with --checkpoint FILE")
    if content_hash(path) != checkpoint.sha256:
        raise UserError(f"{path} is not the checkpoint {checkpoint.name} that the run adapted; name the right file")
    return dataclasses.replace(checkpoint, path=str(path.absolute()))
