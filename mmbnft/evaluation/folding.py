"""Folds batch norms in eval mode into the convolutions before them: the same function in fewer passes over memory."""

import copy
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

AGREEMENT = 1e-3  # far above rounding in float32, far below what a wrong fold does


def folded(backbone: nn.Module, sample: Tensor) -> nn.Module:
    """A copy of a backbone for inference whose batch norms are part of the convolutions before them.

    Which norm follows which convolution is seen in one forward pass, not read from names: a norm is folded if its input
    is the very tensor a convolution returned, no other module takes that tensor, and both are called once. What cannot
    be folded stays as it is. The copy is in eval mode and in channels-last layout. What takes a tensor outside of any
    module is not seen in this way, so the copy has to agree with the original on the sample, or nothing is folded.

    Args:
        backbone: Any module; norms without running statistics are left alone. Not changed.
        sample: (1, 3, H, W), any image.

    Returns:
        The copy.
    """
    plain = copy.deepcopy(backbone).requires_grad_(False)
    plain.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs leave this form out
    plain.eval()  # the host's backbones return nothing here
    inference = copy.deepcopy(plain)
    for conv, norm in _pairs(inference, sample):
        pair = inference.get_submodule(conv), inference.get_submodule(norm)
        _replace(inference, conv, fuse_conv_bn_eval(*pair))  # type: ignore[type-var, arg-type]  # by what `_pairs` finds
        _replace(inference, norm, nn.Identity())
    inference.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.no_grad():
        agrees = all(
            torch.allclose(ours, theirs, rtol=AGREEMENT, atol=AGREEMENT * float(theirs.abs().max()))
            for ours, theirs in zip(_tensors(inference(sample)), _tensors(plain(sample)), strict=True)
        )
    return inference if agrees else plain


def _tensors(output: Any) -> list[Tensor]:
    return [output] if isinstance(output, Tensor) else [tensor for part in output for tensor in _tensors(part)]


def _pairs(model: nn.Module, sample: Tensor) -> list[tuple[str, str]]:
    """Names of convolutions and of the norms that alone follow them."""
    names = {module: name for name, module in model.named_modules()}
    leaves = [module for module in names if not list(module.children())]
    calls: Counter[nn.Module] = Counter()
    made: dict[int, nn.Module] = {}
    held: list[Any] = []  # so that no tensor's number is given twice
    readers: dict[int, list[nn.Module]] = {}

    def watch(module: nn.Module, inputs: tuple, output: object) -> None:
        calls[module] += 1
        held.extend((*inputs, output))
        for value in inputs:
            readers.setdefault(id(value), []).append(module)
        if isinstance(module, nn.Conv2d) and isinstance(output, Tensor):
            made[id(output)] = module

    handles = [leaf.register_forward_hook(watch) for leaf in leaves]
    try:
        with torch.no_grad():
            model(sample)
    finally:
        for handle in handles:
            handle.remove()
    found = []
    for number, conv in made.items():
        after = readers.get(number, [])
        if len(after) == 1 and _is_foldable(after[0]) and calls[conv] == calls[after[0]] == 1:
            found.append((names[conv], names[after[0]]))
    return found


def _is_foldable(module: nn.Module) -> bool:
    return isinstance(module, nn.BatchNorm2d) and module.running_mean is not None


def _replace(model: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, new)
