"""Open a file, find the format it is in, and refuse it in one sentence when there is none."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mmbnft.utils.errors import UserError
from mmbnft.utils.wording import joined
from mmbnft.zoo.architecture import LIBRARIES, AnyNetwork, Architecture, LibraryNetwork
from mmbnft.zoo.candidates import candidates, distinct, share
from mmbnft.zoo.entry import Normalisation
from mmbnft.zoo.evidence import normalisation_in
from mmbnft.zoo.formats import FORMATS, SEARCHED, Format
from mmbnft.zoo.library import library_layout
from mmbnft.zoo.matching import Match, match, matches, second_backbones, show, wrapped
from mmbnft.zoo.network import Layout, architecture_layout, infer_architecture
from mmbnft.zoo.readers.byol import read_byol
from mmbnft.zoo.readers.inert import origin_of
from mmbnft.zoo.readers.safetensors import (
    CONFIG,
    is_plain_resnet,
    made_for_transformers,
    read_config,
    read_safetensors,
)
from mmbnft.zoo.readers.tf_bundle import read_bundle
from mmbnft.zoo.readers.torch_file import container_kind, open_torch_file
from mmbnft.zoo.sources import Source

_FARTHER = 4  # a published format is named as the nearest unless a mere wrapper is this many times nearer
# Found by names and shapes of tensors, which tell neither the heads of attention nor activations.
SHAPES = "shapes"
_NEARLY = 0.8  # of a network's tensors, for a file to be named as an incomplete one
_LIGHTLY = frozenset({"lightly_train", "model_class_path"})
_CLASSIFIER = ("best_acc1", "best_acc")


@dataclass(frozen=True)
class Reading:
    """A file as it was understood.

    Attributes:
        match: Its tensors, by the rules of its format.
        normalisation: What the file itself says inputs need; None where it says nothing.
        network: What the tensors are; None where only the network that they are loaded into can tell.
        network_known_from: `file`, `shapes` of its tensors, `catalogue` or `stated`; empty where it is not known.
        stem_padding: Padding of the first convolution where the file's framework has another than the network; else 0.
    """

    match: Match
    normalisation: Normalisation | None
    network: AnyNetwork | None
    network_known_from: str
    stem_padding: int = 0

    @property
    def is_judged(self) -> bool:
        """Whether the match was made against the layout of the network in the file."""
        return network_layout(self.network) is not None


def recognise(source: Source, layout: Layout | None, *, allow_partial: bool) -> Reading:
    """Read a file by its format's rules, or by those of the format that fits.

    Args:
        source: The file, and what is known about it.
        layout: What it must hold; by default the entry's layout, or else the nearest ResNet's.
        allow_partial: Whether an incomplete match will do.

    Raises:
        UserError: The file cannot be read, holds no or several backbones, or does not match.
    """
    content, kind = _open(source)
    known, known_from = _known_network(source, content, kind)
    found = _choose(source, content, kind, layout or network_layout(known))
    if not found.complete and layout is None and known is None:
        known, known_from = _nearest(source, content, kind)
        found = _choose(source, content, kind, network_layout(known)) if known else found
    if not allow_partial:
        _check_entry(source, found)
    if not found.complete and not (allow_partial and found.tensors):
        raise UserError(_refusal(source, found, known))
    if layout is None:
        _check_config(source, found)
    return _reading(source, content, found, known, known_from)


def identify(source: Source) -> Reading:
    """Find out what a file is without a network to load it into.

    The match may be incomplete; of a network that is not known, it is none worth looking at.

    Raises:
        UserError: The file cannot be read, or holds no or several backbones.
    """
    content, kind = _open(source)
    known, known_from = _known_network(source, content, kind)
    found = _choose(source, content, kind, network_layout(known))
    if found.complete:
        _check_config(source, found)
    return _reading(source, content, found, known, known_from)


def _reading(source: Source, content: Any, found: Match, known: AnyNetwork | None, known_from: str) -> Reading:
    proven = normalisation_in(source.path, content, found.source)
    if known is None and 2 * len(found.tensors) >= len(found.layout):
        nearest = infer_architecture(found.sorted.kept)
        if set(architecture_layout(nearest)) == set(found.layout):
            known, known_from = nearest, "file"
    padding = _stem_padding(content, found)
    return Reading(found, proven, known, known_from if known is not None else "", padding)


def _stem_padding(content: Any, found: Match) -> int:
    """2 for solo-learn's networks for CIFAR, whose 3x3 stem pads twice as much; `convert` writes it down.

    Its Lightning files are known by what lies beside the backbone (vturrisi/solo-learn, solo/methods/base.py).
    """
    stem = found.tensors.get("conv1.weight")
    if not isinstance(content, dict) or stem is None or tuple(stem.shape[2:]) != (3, 3):
        return 0
    meta = content.get("meta")
    certificate = meta.get("certificate") if isinstance(meta, dict) else None
    if isinstance(certificate, dict):
        return int(certificate.get("stem_padding", 0))
    beside = {str(key).partition(".")[0] for key in found.source}
    solo = "classifier" in beside and beside & {"projector", "momentum_backbone"}
    return 2 if solo and "pytorch-lightning_version" in content else 0


def _known_network(source: Source, content: Any, kind: str) -> tuple[AnyNetwork | None, str]:
    """The network that a person, the catalogue or the file's own words name, and who does; None for a ResNet's keys."""
    named = str(read_config(source.path).get("architecture", ""))
    entry = source.entry.architecture if source.entry else None
    if source.network is not None:
        if named and isinstance(source.network, LibraryNetwork) and source.network.name != named:
            raise UserError(
                f"{source.path.parent / CONFIG} says that {source.path.name} is a {named!r}, but you stated "
                f"{source.network}; leave --network out"
            )
        return source.network, "stated"
    if entry is not None:
        return entry, "catalogue"
    if named and not is_plain_resnet(named):
        return LibraryNetwork("timm", named), "file"
    if made_for_transformers(source.path):
        raise UserError(
            f"{source.path.parent / CONFIG} says that {source.path.name} is in the layout of the transformers library, "
            "which is not read; take the same weights from timm, timm:NAME or hf:timm/NAME"
        )
    if found := _network_of_arch(source, content, kind):
        return found, "file"
    fitting = _fitting(source, content, kind)
    return (fitting[0], SHAPES) if len(fitting) == 1 else (None, "")


def _network_of_arch(source: Source, content: Any, kind: str) -> LibraryNetwork | None:
    """The library's network that a training file names as its `arch`, proven by its tensors; None for none."""
    name = content.get("arch") if isinstance(content, dict) else None
    if not isinstance(name, str) or not name.replace("_", "").replace(".", "").isalnum() or is_plain_resnet(name):
        return None
    fitting = []
    for library in LIBRARIES:
        network = LibraryNetwork(library, name)
        try:
            layout = library_layout(network)
        except UserError:
            continue
        if _choose(source, content, kind, layout).complete:
            fitting.append(network)
    if len(fitting) > 1:
        raise UserError(
            f"{source.path.name} names its network {name!r}, which fits {' and '.join(map(str, fitting))}; say which "
            "with --network"
        )
    return fitting[0] if fitting else None


def _guesses(content: Any) -> Iterator[LibraryNetwork]:
    """Networks that a file may hold, unless it names its network as no library does.

    MoCo v3's small vision transformer, for one, has the shapes of timm's and other heads.
    """
    if not (isinstance(content, dict) and isinstance(content.get("arch"), str)):
        yield from candidates(content)


def _fitting(source: Source, content: Any, kind: str) -> list[LibraryNetwork]:
    """Networks of the libraries that a file fits to the last tensor; none for a ResNet's, which tells itself."""
    found = [
        network
        for network in _guesses(content)
        if share(network, content) == 1 and _choose(source, content, kind, library_layout(network)).complete
    ]
    return distinct(found)


def _nearest(source: Source, content: Any, kind: str) -> tuple[LibraryNetwork | None, str]:
    """The network of a library that an incomplete file nearly is, and how that is known; None where it is none nearly.

    Raises:
        UserError: The file is several networks completely.
    """
    _refuse_several(source, content, kind)
    shares = {network: share(network, content) for network in _guesses(content)}
    nearest = max(shares, key=lambda network: shares[network], default=None)
    return (nearest, SHAPES) if nearest is not None and shares[nearest] >= _NEARLY else (None, "")


def refuse_several_networks(source: Source) -> None:
    """Refuse a file whose tensors fit several networks of the libraries.

    Raises:
        UserError: They do, or the file cannot be read, or holds several backbones.
    """
    _refuse_several(source, *_open(source))


def _refuse_several(source: Source, content: Any, kind: str) -> None:
    if several := _fitting(source, content, kind):
        raise UserError(
            f"{source.path.name} fits {joined([str(one) for one in several])}, which have the same tensors and compute "
            "different things; say which with --network"
        )


def network_layout(network: AnyNetwork | None) -> Layout | None:
    """The layout of a network; None where it is not known, or known only to the host that builds it."""
    if isinstance(network, LibraryNetwork):
        return library_layout(network)
    return layout_if_resnet(network)


def layout_if_resnet(network: AnyNetwork | None) -> Layout | None:
    """The layout of a ResNet; None for any other network."""
    return architecture_layout(network) if isinstance(network, Architecture) and network.is_resnet else None


def _open(source: Source) -> tuple[Any, str]:
    """Content, and kind of what is in it: `torch` (nested mappings of tensors), `pickle` or `bundle`."""
    container = container_kind(source.path)
    kind, form = ("torch" if container == "safetensors" else container), source.form
    if form is not None and form.id not in SEARCHED and form.kind != kind:
        raise UserError(
            f"{source.path.name} is a file of kind {kind!r}, format {form.id!r} needs {form.kind!r}; leave the format "
            "out to have it recognised"
        )
    if container == "safetensors":
        return read_safetensors(source.path), kind
    if kind == "bundle":
        return read_bundle(source.path), kind
    if kind == "pickle":
        return read_byol(source.path), kind
    content = open_torch_file(source.path)
    _refuse_no_weights(source.path.name, content)
    return content, kind


def _refuse_no_weights(name: str, content: Any) -> None:
    """Refuse, by its right name, what torch saves besides the weights of a backbone."""
    if origin := origin_of(content):
        raise UserError(
            f"{name} is a pickled module ({origin}), which only its own code could open; save its state_dict() instead"
        )
    if not isinstance(content, dict):
        return
    if any(key in content for key in _CLASSIFIER):
        raise UserError(f"{name} is a linear-evaluation classifier, not a backbone; use the pre-training file")
    if {"state", "param_groups"} <= set(content):
        raise UserError(f"{name} holds the state of an optimizer and no network; get the file with the weights")
    meta = content.get("meta")
    if isinstance(meta, dict) and meta.get("completes"):
        raise UserError(
            f"{name} completes {meta.get('checkpoint')} with what a run of {meta.get('protocol')} changed, and is no "
            "network by itself; write a whole one with: mmbnft export RESULT.json FILE.pth"
        )
    if _LIGHTLY & set(content):
        raise UserError(
            f"{name} is a training checkpoint of lightly-train, which holds pickled modules; name the export beside "
            "it, exported_models/exported_last.pt"
        )
    modules = {str(key): origin for key, value in content.items() if (origin := origin_of(value))}
    if modules and not any(isinstance(value, dict | Tensor) for value in content.values()):
        listed = ", ".join(f"{key} ({origin})" for key, origin in modules.items())
        raise UserError(
            f"{name} holds pickled modules at {listed}, which only their own code could open; save a "
            "state_dict() instead"
        )


def _choose(source: Source, content: Any, kind: str, layout: Layout | None) -> Match:
    """The match in the wanted format, or the one complete or nearest match."""
    only_wrapped = bool(source.branch) or (source.form is not None and source.form.id in SEARCHED)
    found = [] if only_wrapped else matches(content, kind, layout, source.form)
    complete = [candidate.format.id for candidate in found if candidate.complete]
    if source.form is not None and not only_wrapped:
        return _in_stated_format(source, content, found, complete)
    if len(complete) > 1:
        raise UserError(
            f"{source.path.name} can be read as {' or as '.join(complete)}, which take different inputs; say which "
            "with --format"
        )
    if complete and kind == "torch":
        _refuse_second(source.path.name, content, found[0].format)
    if found and (complete or kind != "torch"):
        return found[0]
    candidates = wrapped(content, layout, source.branch)
    if len(candidates) == 1 and (only_wrapped or not found or _FARTHER * candidates[0].distance < found[0].distance):
        return candidates[0]
    if len(candidates) > 1:
        raise UserError(
            f"{source.path.name} holds several backbones: {', '.join(c.branch for c in candidates)}; name the one to "
            "read with --branch"
        )
    if source.branch:
        names = ", ".join(candidate.branch for candidate in wrapped(content, layout)) or "none"
        raise UserError(f"{source.path.name} has no backbone at {source.branch!r}; those in it: {names}")
    if not found:
        known = ", ".join(FORMATS)
        raise UserError(f"{source.path.name} holds no tensors where any known format has them; known formats: {known}")
    return found[0]


def _refuse_second(name: str, content: Any, form: Format) -> None:
    if others := second_backbones(content, form):
        raise UserError(
            f"{name} holds further networks at {', '.join(others)}; keep one backbone in the file, or name the one to "
            "read with --branch"
        )


def _in_stated_format(source: Source, content: Any, found: list[Match], complete: list[str]) -> Match:
    """The match in the format that a person or the catalogue says the file has."""
    form, name = source.form, source.path.name
    assert form is not None
    wanted = next((candidate for candidate in found if candidate.format is form), None)
    if wanted is None:
        place = " or ".join(repr(key) for key in (*form.containers, *form.requires) if key) or "top level"
        nearest = f"; the nearest known format is {found[0].format.id!r}" if found else ""
        raise UserError(f"{name} has no tensors at {place}, where format {form.id!r} has them{nearest}")
    if complete and not wanted.complete:
        raise UserError(
            f"{name} is not in format {form.id!r} ({wanted.distance} keys do not fit, e.g. "
            f"{show((wanted.missing + wanted.unexpected)[:1])}) but in format {complete[0]!r}; say so with --format"
        )
    _refuse_second(name, content, form)
    return wanted


def _check_config(source: Source, found: Match) -> None:
    """Refuse a ResNet of another depth than its `config.json` says."""
    named = str(read_config(source.path).get("architecture", ""))
    nearest = infer_architecture(found.sorted.kept)
    depth = re.search(r"\d+", named)
    if is_plain_resnet(named) and (depth is None or int(depth[0]) != nearest.depth):
        raise UserError(
            f"{source.path.parent / CONFIG} says that {source.path.name} is a {named!r}, not a plain {nearest}; give a "
            "configuration with its network"
        )


def _check_entry(source: Source, found: Match) -> None:
    """Hold the file against what the catalogue says about it."""
    entry, name = source.entry, source.path.name
    if entry is None:
        return
    if entry.tensors and found.complete and found.total not in entry.tensors:
        wanted = " or ".join(str(count) for count in entry.tensors)
        raise UserError(f"{name} holds {found.total} tensors, {entry.id!r} has {wanted}; it is another model's file")
    if layout_if_resnet(entry.architecture) is None:
        return
    nearest = infer_architecture(found.sorted.kept)
    if found.sorted.kept and nearest != entry.architecture:
        raise UserError(
            f"{name} holds a network nearest to {nearest}, {entry.id!r} is a {entry.architecture}; get the right file"
        )


def _refusal(source: Source, found: Match, known: AnyNetwork | None) -> str:
    """Why a file does not match, in one sentence."""
    parts = []
    if found.missing:
        parts.append(f"{len(found.missing)} missing: {show(found.missing)}")
    if found.unexpected:
        parts.append(f"{len(found.unexpected)} unexpected: {show(found.unexpected)}")
    own = match(found.sorted.kept, FORMATS["flat"], None)
    named = f"{known} " if known is not None else ""
    if own.complete and not found.sorted.unexpected:
        nearest = infer_architecture(found.sorted.kept)
        own_kind = f"is a complete {nearest} in format {found.format.id!r}"
        start = f"{source.path.name} {own_kind}, but the network {named}is another:"
    elif source.form is None:
        start = f"{source.path.name} is complete in no known format; the nearest is {found.format.id!r}, against which"
    else:
        start = f"{source.path.name} is not complete in format {found.format.id!r}:"
    possible = len(found.layout) - len(found.fill)
    # With nothing or next to nothing in place, a partial load would be random weights under a checkpoint's name.
    helps = 2 * len(found.tensors) >= possible and not own.complete
    partial = ", or ask for --allow-partial, which marks every result" if helps else ""
    if isinstance(known, Architecture | None) and any(" (shape " in name for name in found.missing):
        partial += "; a network other than a plain ResNet is stated with --network"
    return f"{start} {len(found.tensors)} of {possible} tensors match ({'; '.join(parts)}); get the right file{partial}"
