"""The recipe this project compares protocols by."""

from mmbnft.protocols import Protocol
from mmbnft.recipes.recipe import Recipe


def clean(_task: str, _protocol: str | Protocol) -> Recipe:
    """One recipe for every task and every arm, at 224 pixels, normalised as the checkpoint was pre-trained.

    Equal length, images and search budget for all protocols, so that a difference between two arms is one between
    protocols; the rate of each is chosen on val. Small images (CIFAR's 32 pixels, EuroSAT's 64) are enlarged like all
    others.
    """
    return Recipe(
        name="clean",
        epochs=30,
        batch_size=64,
        optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=1e-4),
        lr_config=dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=False),
        train_pipeline=[dict(type="RandomResizedCrop", size=224), dict(type="RandomHorizontalFlip")],
        test_pipeline=[dict(type="Resize", size=256), dict(type="CenterCrop", size=224)],
        search=dict(lr=[0.001, 0.01, 0.1]),
    )
