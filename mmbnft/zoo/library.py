"""Networks of timm and torchvision by name, without their classifier: a forward pass gives features (N, C)."""

from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from mmbnft.compat import declare_torchvision_operators
from mmbnft.utils.errors import UserError, choices
from mmbnft.zoo.architecture import POOLINGS, LibraryNetwork
from mmbnft.zoo.network import TensorSpec, layout_of


def build_library_network(network: LibraryNetwork) -> nn.Module:
    """Build a network with random weights, without classifier.

    Its state-dict keys are the library's own. What it returns are the features that its classifier would get; where
    `pooling` is given, class token and patches are taken from its normalised tokens instead.

    Raises:
        UserError: The library has no such network, or it has no tokens to pool.
    """
    if network.pooling and network.pooling not in POOLINGS:
        raise UserError(f"pooling must be one of {choices(POOLINGS)}, got {network.pooling!r}")
    declare_torchvision_operators()  # timm imports torchvision, too
    built = _timm(network) if network.library == "timm" else _torchvision(network)
    if network.pooling:
        _pool(built, network)
    return built


@lru_cache(maxsize=64)
def library_layout(network: LibraryNetwork) -> dict[str, TensorSpec]:
    """Names, shapes and dtypes of a network's tensors; raises as `build_library_network`."""
    return layout_of(_without_values(network))


def library_names(library: str) -> list[str]:
    """Names of all networks that a library builds.

    Args:
        library: `timm` or `torchvision`.
    """
    declare_torchvision_operators()
    if library == "timm":
        import timm

        return list(timm.list_models())
    import torchvision

    return list(torchvision.models.list_models(module=torchvision.models))


def input_size(name: str) -> int:
    """Side of the images that timm's network of this name is made for."""
    import timm

    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    return int(config.input_size[-1]) if config is not None else 224


@lru_cache(maxsize=64)
def computation(network: LibraryNetwork) -> str:
    """What a network computes, as text: equal for two names of one network.

    Its modules with their settings tell it, and how a vision transformer makes features of its tokens.
    """
    built = _without_values(network)
    tokens = ("global_pool", "num_prefix_tokens", "no_embed_class", "pool_include_prefix")
    heads = sorted({str(module.num_heads) for module in built.modules() if hasattr(module, "num_heads")})
    return repr((built, heads, [getattr(built, name, None) for name in tokens]))


def _without_values(network: LibraryNetwork) -> nn.Module:
    """A network without memory for its values, where its library can build such a one."""
    plain = LibraryNetwork(network.library, network.name)
    try:
        with torch.device("meta"):
            return build_library_network(plain)
    except NotImplementedError:  # it computes with values while it is built
        return build_library_network(plain)


def _timm(network: LibraryNetwork) -> nn.Module:
    import timm

    if any(sign in network.name for sign in ":/"):
        raise UserError(f"{network.name!r} is not a timm model name; a model of the Hugging Face Hub is hf:OWNER/NAME")
    settings: dict[str, Any] = {"pretrained": False, "num_classes": 0}
    try:
        try:  # vision transformers then take images of any size that their patches divide
            found: nn.Module = timm.create_model(network.name, dynamic_img_size=True, **settings)
        except TypeError:
            found = timm.create_model(network.name, **settings)
    except (RuntimeError, TypeError, ValueError) as error:
        near = timm.list_models(f"*{network.name.split('.')[0]}*")[:5]
        raise UserError(
            f"timm cannot build {network.name!r} ({error}); similar names: {choices(near) or 'none'}"
        ) from error
    return found


def _torchvision(network: LibraryNetwork) -> nn.Module:
    import torchvision

    known = torchvision.models.list_models(module=torchvision.models)
    if network.name not in known:
        near = [name for name in known if network.name.lower() in name or name in network.name.lower()]
        raise UserError(f"torchvision has no network {network.name!r}; it has {choices(near or known)}")
    built: nn.Module = torchvision.models.get_model(network.name, weights=None)
    linear = [name for name, module in built.named_modules() if isinstance(module, nn.Linear)]
    if not linear or hasattr(built, "AuxLogits"):
        raise UserError(f"torchvision's {network.name!r} has no single linear classifier to remove; choose another")
    parent, _, child = linear[-1].rpartition(".")
    setattr(built.get_submodule(parent), child, nn.Identity())
    return built


def has_tokens(network: LibraryNetwork) -> bool:
    """Whether a network makes tokens, of which class token and patches can be pooled; raises as the building of it."""
    return _holds_tokens(_without_values(network))


def _holds_tokens(built: nn.Module) -> bool:
    if type(built).__module__.startswith("torchvision."):
        return type(built).__name__ == "VisionTransformer"
    has_pool = hasattr(built, "num_prefix_tokens") and hasattr(built, "global_pool")
    return has_pool and getattr(built, "attn_pool", None) is None


def _pool(built: nn.Module, network: LibraryNetwork) -> None:
    """Make a vision transformer return its tokens as one vector, by a hook."""
    if not _holds_tokens(built):
        raise UserError(f"{network.library}:{network.name} has no tokens to pool; leave pooling out for it")
    if network.library == "torchvision":
        # Its forward pass ends by taking the class token: what leaves the encoder becomes (N, 1, C).
        built.get_submodule("encoder").register_forward_hook(partial(_pooled_first, pooling=network.pooling))
        return
    if network.pooling != "mean" and getattr(built, "cls_token", None) is None:
        raise UserError(f"{network.library}:{network.name} has no class token; choose pooling mean, or leave it out")
    vars(built)["global_pool"] = ""
    count = int(built.num_prefix_tokens)  # type: ignore[arg-type]
    built.register_forward_hook(partial(_pooled, pooling=network.pooling, prefix=count))


def _pooled(_module: nn.Module, _inputs: Any, tokens: Tensor, *, pooling: str, prefix: int) -> Tensor:
    """Forward hook: (N, prefix + patches, C) to (N, C), or (N, 2 C) for both."""
    parts = {"class": tokens[:, 0], "mean": tokens[:, prefix:].mean(dim=1)}
    return torch.cat([part for name, part in parts.items() if pooling in (name, "both")], dim=1)


def _pooled_first(module: nn.Module, inputs: Any, tokens: Tensor, *, pooling: str) -> Tensor:
    """Forward hook: the pooled vector where torchvision's network takes its class token from."""
    return _pooled(module, inputs, tokens, pooling=pooling, prefix=1)[:, None]
