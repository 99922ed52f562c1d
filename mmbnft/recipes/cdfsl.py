"""Guo et al.: A broader study of cross-domain few-shot learning (ECCV 2020); IBM/cdfsl-benchmark."""

import dataclasses
from typing import Any

from mmbnft.protocols import Protocol, name_of
from mmbnft.recipes.recipe import Recipe

# The sides are not kept in proportion; 257 is int(224 * 1.15).
CENTRE: list[dict[str, Any]] = [dict(type="Resize", size=[257, 257]), dict(type="CenterCrop", size=224)]
CLASSIFIER = Recipe(
    name="cdfsl",
    epochs=100,
    batch_size=4,
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, dampening=0.9, weight_decay=0.001),
    train_pipeline=CENTRE,
    test_pipeline=CENTRE,
    normalisation=dict(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
)


def cdfsl(_task: str, protocol: str | Protocol) -> Recipe:
    """The settings of an episode's classifier, the backbone frozen or trained at the same rate.

    Meant for tasks as small as an episode (a few hundred images). Every protocol but `linear` and `finetune` takes the
    same settings under the name `cdfsl-derived`.
    """
    name = name_of(protocol)
    if name in ("linear", "finetune"):
        return CLASSIFIER
    remark = f"nothing was published for {name}: the settings of the other protocols"
    return dataclasses.replace(CLASSIFIER, name="cdfsl-derived", remark=remark)
