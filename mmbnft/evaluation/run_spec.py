"""What determines one run, and the content hash it is named by."""

import dataclasses
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL

from mmbnft.evaluation.proxies import SCORES
from mmbnft.host import Config
from mmbnft.models.configuration import model_of
from mmbnft.protocols import PRESETS, Phase, Protocol, get_protocol
from mmbnft.recipes import resolve_recipe
from mmbnft.recipes.recipe import Recipe
from mmbnft.recipes.settings import Images, Probe, Search, Training, names_of, stated
from mmbnft.results import RESULTS_VERSION
from mmbnft.tasks import Task
from mmbnft.tasks.decoding import decoding_versions
from mmbnft.utils import files
from mmbnft.utils.errors import UserError, choices, meant, meant_path
from mmbnft.utils.shipped import find_shipped
from mmbnft.zoo import Checkpoint, resolve_checkpoints
from mmbnft.zoo.checkpoint import Statement
from mmbnft.zoo.entry import RANDOM

# Settings of a recipe that each arm uses.
ARMS: dict[str, tuple[type, ...]] = {
    "scored": (Images,),
    "probed": (Images, Probe),
    "trained": (Images, Training, Search),
}
SETTINGS = ("model", "task", "protocol", "recipe", "checkpoint", "stated", "split", "seed")
ALIASES = {"load_from": "checkpoint"}
IGNORED = ("custom_imports", "work_dir", "tracking")


@dataclass(frozen=True)
class RunSpec:
    """One (checkpoint, task, protocol, recipe, split, seed).

    Attributes:
        model: Configuration of a host algorithm with `backbone` and `head`; sizes and protocol are filled in here.
        task: Configuration of the task.
        protocol: Protocol name, or the name of a training-free score.
        recipe: The recipe.
        checkpoint: The checkpoint, or the random control.
        split: Number of the official split.
        seed: Seed of head, order, augmentation, and of the weights of `random`.
        phases: Phases of a protocol that a configuration defines; empty for one that is known by its name.
    """

    model: dict[str, Any]
    task: dict[str, Any]
    protocol: str
    recipe: Recipe
    checkpoint: Checkpoint = dataclasses.field(default_factory=Checkpoint.random)
    split: int = 0
    seed: int = 0
    phases: tuple[Phase, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would fail later."""
        if not self.is_score:
            object.__setattr__(self, "protocol", known_protocol(self.adaptation).name)
        for name in ("split", "seed"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise UserError(f"{name} must be a whole number from 0, got {value!r}")
        for name in ("backbone", "head"):
            if not isinstance(self.model.get(name), dict):
                raise UserError(f"model must have a {name}=dict(type=...), got {self.model.get(name)!r}")
        if isinstance(self.recipe.normalisation, str):
            self.checkpoint.need_normalisation()

    @property
    def allow_partial(self) -> bool:
        """Whether the checkpoint may leave a part of the backbone unfilled; recorded in the result."""
        return self.checkpoint.allow_partial

    @property
    def is_score(self) -> bool:
        """Whether the run is a training-free score and not a protocol."""
        return self.protocol in SCORES

    @property
    def adaptation(self) -> Protocol:
        """The protocol by which the checkpoint is adapted; a training-free score has none and is refused."""
        return Protocol(self.protocol, self.phases) if self.phases else known_protocol(self.protocol)

    @property
    def checkpoint_name(self) -> str:
        """The checkpoint as results name it."""
        return self.checkpoint.name

    def key(self, task: Task, on_val: bool = False) -> str:
        """Hex content hash of everything that determines the result.

        Args:
            task: The task built from this spec.
            on_val: Whether the run ends with its search on val.
        """
        recipe = stated(self.recipe, names_of(*ARMS[self.arm]))
        return files.sha256_json(
            {
                "arm": self.arm,
                "adaptation": self._adapted_by,
                "checkpoint": checkpoint_facts(self.checkpoint, "normalisation" not in recipe),
                "task": task.content_hash,
                "libraries": image_libraries(task, [*self.recipe.test_pipeline, *recipe.get("train_pipeline", [])]),
                "model": self.model if self.arm == "trained" else self.model["backbone"],
                "recipe": recipe,
                "seed": self.seed,
                "split": self.split,
                "allow_partial": self.allow_partial,
                "results_version": RESULTS_VERSION,
            }
            | ({"evaluated_on": "val"} if on_val else {})
        )

    @property
    def arm(self) -> str:
        """How the run makes its result, a key of `ARMS`."""
        if self.is_score:
            return "scored"
        return "probed" if self.recipe.probe is not None and is_frozen(self.adaptation) else "trained"

    @property
    def _adapted_by(self) -> Any:
        """What the name of the protocol or score stands for; a probe is the same under every protocol that has one."""
        if self.arm == "trained":
            return [stated(phase) for phase in self.adaptation.phases]
        return self.protocol if self.arm == "scored" else None


def is_frozen(protocol: Protocol) -> bool:
    """Whether nothing in the backbone ever changes under the protocol."""
    return all(phase.train == "head" and phase.norm_stats == "frozen" for phase in protocol.phases)


def checkpoint_facts(checkpoint: Checkpoint, normalised: bool) -> dict[str, Any]:
    """What a key says of a checkpoint: content of its file and, where inputs follow it, its input normalisation.

    Args:
        checkpoint: The checkpoint.
        normalised: Whether inputs are normalised as the checkpoint says.
    """
    content = {"content": checkpoint.identity}
    if checkpoint.is_random or not normalised:
        return content
    return content | {"normalisation": checkpoint.need_normalisation().to_dict()}


def image_libraries(task: Task, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
    """Versions of the libraries between a task's images and the network's input.

    Args:
        task: The task; images in memory need no decoding.
        pipeline: Transforms before conversion and normalisation; without one none is transformed.
    """
    decoded = {} if all(images.in_memory for images in task.splits.values()) else decoding_versions()
    transformed = {"PIL": PIL.__version__, "torchvision": importlib.metadata.version("torchvision")} if pipeline else {}
    return decoded | transformed


def known_protocol(protocol: str | dict[str, Any] | Protocol) -> Protocol:
    """A protocol by its name, or as a configuration defines it.

    Args:
        protocol: Its name, `dict(name=..., phases=[...])`, or a protocol.

    Raises:
        UserError: There is no such protocol, or a defined one takes the name of another or of a score.
    """
    if not isinstance(protocol, str | dict | Protocol):
        raise UserError(f"protocol must be a name or dict(name=..., phases=[...]), got {protocol!r}")
    try:
        found = get_protocol(protocol)
    except UserError as error:
        if not isinstance(protocol, str):
            raise
        known = {**PRESETS, **SCORES}
        raise UserError(
            f"unknown protocol {protocol!r}; there are {choices(PRESETS)}, partial:K with K from 1, and the training-"
            f"free scores {choices(SCORES)}{meant(protocol, known)}"
        ) from error
    taken = found.name in SCORES or (found.name in PRESETS and PRESETS[found.name].phases != found.phases)
    if taken or (found.name.startswith("partial:") and get_protocol(found.name).phases != found.phases):
        raise UserError(f"{found.name!r} is already the name of a protocol or score; give yours another name")
    return found


def load_config(path: Path | str, overrides: dict[str, Any] | None = None, recipe: str | None = None) -> Config:
    """Read a configuration file of the host's kind and merge dotted overrides into it.

    Args:
        path: The file, or the name of one that comes with the package.
        overrides: Values by dotted name.
        recipe: Name of a recipe that takes the place of the file's before the overrides.

    Raises:
        UserError: The file is missing or is no valid configuration.
    """
    try:
        config = Config.fromfile(str(find_shipped(path)))
        if recipe is not None:
            config.recipe = {"named": recipe}
        if overrides:
            config.merge_from_dict(overrides)
    except FileNotFoundError as error:
        raise UserError(f"there is no configuration {path} ({error}){meant_path(path)}") from error
    except (SyntaxError, KeyError, TypeError, AttributeError, NameError, OSError, ImportError) as error:
        raise UserError(f"{path} is not a valid configuration: {error}") from error
    return config


def spec_from_config(config: Config | dict[str, Any]) -> RunSpec:
    """The run that a configuration describes.

    A backbone already wrapped in `ProtocolBackbone`, as the host's own train.py needs it, is understood too.

    Raises:
        UserError: A setting is unknown, missing or out of range.
    """
    settings: dict[str, Any] = dict(config._cfg_dict.to_dict() if isinstance(config, Config) else config)
    for alias, name in ALIASES.items():
        if settings.get(alias) is not None:
            settings[name] = settings[alias]
        settings.pop(alias, None)
    for name in IGNORED:
        settings.pop(name, None)
    unknown = set(settings) - set(SETTINGS)
    for section, command in (("benchmark", "benchmark"), ("few_shot", "few-shot")):
        if section in unknown:
            raise UserError(f"this is a {section} configuration; run it with: mmbnft {command} CONFIG")
    if unknown:
        raise UserError(
            f"unknown settings {choices(unknown)} in the configuration; allowed: {choices(SETTINGS)}"
            f"{meant(unknown, SETTINGS)}"
        )
    _unwrap_backbone(settings)
    missing = {"model", "task", "protocol", "recipe"} - set(settings)
    if missing:
        where = "add them, or the _base_ files that hold them"
        if "protocol" in missing:
            where = "give --protocol NAME" if missing == {"protocol"} else f"{where}, and give --protocol NAME"
        raise UserError(f"the configuration lacks {choices(missing)}; {where}")
    if not isinstance(settings["task"], dict):
        raise UserError(f"task must be a dict, got {settings['task']!r}")
    stated = Statement.from_config(settings.pop("stated", {}))
    (checkpoint,) = resolve_checkpoints([settings.get("checkpoint", RANDOM)], stated=stated)
    settings["checkpoint"] = checkpoint
    settings["model"] = model_of(settings["model"], checkpoint)
    protocol = settings["protocol"] = adapted_by(settings["protocol"])
    settings["recipe"] = resolve_recipe(settings["recipe"], task_name(settings["task"]), protocol)
    return RunSpec(**settings | named_protocol(protocol))


def adapted_by(protocol: Any) -> str | Protocol:
    """What a configuration means by `protocol`: the name of a training-free score, or a protocol.

    Raises:
        UserError: There is neither.
    """
    return protocol if isinstance(protocol, str) and protocol in SCORES else known_protocol(protocol)


def named_protocol(protocol: str | Protocol) -> dict[str, Any]:
    """`protocol` and `phases` of a spec that is adapted by a protocol, or by a score of this name."""
    if isinstance(protocol, str):
        return {"protocol": protocol}
    known = protocol.name in PRESETS or protocol.name.startswith("partial:")
    return {"protocol": protocol.name} | ({} if known else {"phases": protocol.phases})


def task_name(task: dict[str, Any]) -> str:
    """Name of a configured task, without building it: as its folder says, or else after the folder or the type."""
    if task.get("name"):
        return str(task["name"])
    if "root" not in task:
        return str(task.get("family") or task.get("type"))
    try:
        return str(files.read_json(Path(task["root"]) / "task.json")["name"])
    except (UserError, KeyError, TypeError):
        return Path(task["root"]).name  # not prepared yet; building the task will say so


def _unwrap_backbone(settings: dict[str, Any]) -> None:
    backbone = settings.get("model", {}).get("backbone", {})
    if isinstance(backbone, dict) and backbone.get("type") == "ProtocolBackbone":
        settings["model"] = dict(settings["model"], backbone=backbone["backbone"])
        settings.setdefault("protocol", backbone["protocol"])
