"""Names of DINOv2's and DINOv3's vision transformers in Meta's files to timm's of the same networks."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mmbnft.zoo.network import Layout
from mmbnft.zoo.rules import Sorted

ANCHOR = "cls_token"
# A training file has its blocks in chunks, blocks.CHUNK.NUMBER; numbers run through.
_CHUNK = re.compile(r"^blocks\.\d+\.(\d+\.)")
# For pre-training only; the rotary embedding is computed, not learnt.
_DROPPED = re.compile(r"mask_token|rope_embed\..*|.*\.bias_mask|local_cls_norm\..*")
_SWIGLU = (("mlp.w12.", "mlp.fc1."), ("mlp.w3.", "mlp.fc2."))
_DINOV3 = (("ls1.gamma", "gamma_1"), ("ls2.gamma", "gamma_2"), ("mlp.w1.", "mlp.fc1_g."), ("mlp.w2.", "mlp.fc1_x."),
           ("mlp.w3.", "mlp.fc2."))  # fmt: skip


@dataclass(frozen=True)
class DinoRules:
    """Keep what is under one prefix, in timm's names; drop what only pre-training needs, and whatever lies outside.

    Attributes:
        prefix: What every backbone key begins with; may be empty.
        layout: Names of timm's network.
    """

    prefix: str
    layout: Layout

    def sort(self, tensors: Mapping[str, Tensor]) -> Sorted:
        """Sort the tensors of a file, by key."""
        result = Sorted()
        own: dict[str, tuple[str, Tensor]] = {}
        for key, value in tensors.items():
            if not key.startswith(self.prefix):
                result.dropped[key.partition(".")[0] + "."] += 1
                continue
            name = _CHUNK.sub(r"blocks.\1", key.removeprefix(self.prefix))
            if _DROPPED.fullmatch(name):
                result.dropped[self.prefix + name.rpartition(".")[2]] += 1
            elif name in own:
                result.unexpected.append(key)
            else:
                own[name] = key, value
        self._move_position(own)
        for name, (key, value) in own.items():
            for target, part in self._renamed(name, value):
                if target:
                    result.keep(key, target, part)
                else:
                    result.dropped[f"{self.prefix}*.qkv.bias (all 0)"] += 1
        return result

    def _move_position(self, own: dict[str, tuple[str, Tensor]]) -> None:
        """With registers timm adds the class token's position to the token itself: a sum of two learnt vectors."""
        if "register_tokens" in own and {ANCHOR, "pos_embed"} <= set(own):
            (_, position), (key, token) = own["pos_embed"], own[ANCHOR]
            own[ANCHOR] = key, token + position[:, :1]
            own["pos_embed"] = own["pos_embed"][0], position[:, 1:]

    def _renamed(self, name: str, value: Tensor) -> Iterator[tuple[str, Tensor]]:
        name = {"register_tokens": "reg_token", "storage_tokens": "reg_token"}.get(name, name)
        if name in self.layout:
            yield name, value
        elif name.endswith(".qkv.bias"):
            yield from self._bias(name.removesuffix("qkv.bias"), value)
        else:
            dinov3 = any(key.endswith("gamma_1") for key in self.layout)
            for old, new in _DINOV3 if dinov3 else _SWIGLU:
                name = name.replace(old, new)
            yield name, value

    def _bias(self, block: str, value: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Of query and value; that of the key is masked. A network of timm's without them stands for biases of 0."""
        query, _, values = value.chunk(3)
        if f"{block}q_bias" in self.layout:
            yield f"{block}q_bias", query
            yield f"{block}v_bias", values
        elif bool(torch.count_nonzero(query)) or bool(torch.count_nonzero(values)):
            yield f"{block}qkv.bias", value
        else:
            yield "", value
