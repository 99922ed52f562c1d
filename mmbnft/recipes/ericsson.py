"""Ericsson, Gouk, Hospedales: How well do self-supervised models transfer? (CVPR 2021); linusericsson/ssl-transfer."""

import dataclasses
from typing import Any

import numpy as np

from mmbnft.protocols import Protocol, name_of
from mmbnft.recipes.recipe import Recipe
from mmbnft.recipes.vpulab_tables import BICUBIC

CENTRE: list[dict[str, Any]] = [
    dict(type="Resize", size=224, interpolation=BICUBIC),
    dict(type="CenterCrop", size=224),
]
CROP_AND_FLIP: list[dict[str, Any]] = [
    dict(type="RandomResizedCrop", size=224, interpolation=BICUBIC),
    dict(type="RandomHorizontalFlip"),
]
FINETUNE = Recipe(
    name="ericsson",
    steps=5000,
    batch_size=64,
    optimizer=dict(type="SGD", lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.0),
    lr_config=dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=False),
    train_pipeline=CROP_AND_FLIP,
    test_pipeline=CENTRE,
    search=dict(lr=[0.1, 0.01, 0.001, 0.0001], weight_decay=[0.0, 1e-6, 1e-5, 1e-4, 1e-3]),
    weight_decay_over_lr=True,
)


def ericsson(_task: str, protocol: str | Protocol) -> Recipe:
    """Linear: logistic regression over 45 weight decays; fine-tuning: 5,000 steps, 20 combinations tried on val.

    Both are one setting for all tasks. Nothing else was published: every other protocol takes the settings of
    fine-tuning, under the name `ericsson-derived`.
    """
    name = name_of(protocol)
    if name == "linear":
        probe = dict(solver="sklearn", weight_decays=np.logspace(-6, 5, 45).tolist())
        return dataclasses.replace(FINETUNE, train_pipeline=CENTRE, search={}, probe=probe)
    if name == "finetune":
        return FINETUNE
    remark = f"nothing was published for {name}: the settings of fine-tuning"
    return dataclasses.replace(FINETUNE, name="ericsson-derived", remark=remark)
