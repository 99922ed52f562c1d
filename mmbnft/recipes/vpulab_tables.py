"""The per-task settings of vpulab/bn_finetuning, as facts from which its published numbers can be run again.

Statistics are on a 0..1 scale and meet the channels by position: the publication decodes to BGR (CIFAR stays RGB) and
normalises with values that look RGB-ordered. Common to all: SGD with momentum 0.9, a cosine to 0 without warm-up. It
evaluates on the test list after every epoch and keeps the best, which is not done here.
"""

from dataclasses import dataclass
from typing import Any

Pipeline = tuple[dict[str, Any], ...]
Triple = tuple[float, float, float]

BICUBIC = 3  # PIL's number, as the host's configurations write it
CROP_AND_FLIP: Pipeline = ({"type": "RandomResizedCrop", "size": 224}, {"type": "RandomHorizontalFlip"})
CENTRE: Pipeline = ({"type": "Resize", "size": 256}, {"type": "CenterCrop", "size": 224})
ENLARGED = {"type": "Resize", "size": 256, "interpolation": BICUBIC}
ENLARGED_CROP_AND_FLIP: Pipeline = (ENLARGED, {"type": "RandomCrop", "size": 224}, {"type": "RandomHorizontalFlip"})
ENLARGED_CENTRE: Pipeline = (ENLARGED, {"type": "CenterCrop", "size": 224})
PADDED_CROP_AND_FLIP: Pipeline = ({"type": "RandomCrop", "size": 32, "padding": 4}, {"type": "RandomHorizontalFlip"})
BOTH_FLIPS: Pipeline = ({"type": "RandomHorizontalFlip"}, {"type": "RandomVerticalFlip"})
AS_IT_IS: Pipeline = ()


@dataclass(frozen=True)
class Schedule:
    """How long and how fast one protocol was trained.

    Attributes:
        batch_size: Images per step.
        lr: First learning rate.
        epochs: Passes over the training list.
        norm_before_classifier: Whether a BatchNorm1d came before the classifier.
        weight_decay: Of all parameters that train.
    """

    batch_size: int
    lr: float
    epochs: int
    norm_before_classifier: bool = False
    weight_decay: float = 1e-6


@dataclass(frozen=True)
class Published:
    """What was published for one task.

    Attributes:
        mean: Subtracted from the channels, 0..1.
        std: Divides them.
        train: Transforms of a training image before conversion and normalisation.
        test: The same for evaluation.
        linear: Schedule of linear probing; None if no valid one was published.
        bn: Schedule of BN tuning; None if no valid one was published.
        bn_train: Training transforms of BN tuning where they differ.
        channel_order: `bgr` or `rgb`, the order in which channels meet `mean` and `std`, and reach the network.
        remark: What else has to be known to compare numbers.
    """

    mean: Triple
    std: Triple
    train: Pipeline = CROP_AND_FLIP
    test: Pipeline = CENTRE
    linear: Schedule | None = None
    bn: Schedule | None = None
    bn_train: Pipeline | None = None
    channel_order: str = "bgr"
    remark: str = ""


VPULAB: dict[str, Published] = {
    "aircraft": Published(
        (0.4894, 0.5183, 0.5388),
        (0.2226, 0.2156, 0.2456),
        linear=Schedule(128, 0.01, 23, norm_before_classifier=True),
        bn=Schedule(16, 0.01, 70),
        bn_train=CENTRE,
    ),
    "caltech101": Published(
        (0.5371, 0.5097, 0.4796),
        (0.3010, 0.2947, 0.3065),
        train=CENTRE,
        bn=Schedule(8, 0.01, 70),
        remark="classes were weighted 1 - n/6728 by TEST counts n; its linear file is an unedited copy of cars",
    ),
    "cars": Published(
        (0.4460, 0.4311, 0.4319),
        (0.2903, 0.2884, 0.2956),
        train=CENTRE,
        linear=Schedule(8, 0.01, 23),
        remark="its BN file has BN training switched off and one epoch",
    ),
    "cifar10": Published(
        (0.4914, 0.4822, 0.4465),
        (0.2023, 0.1994, 0.2010),
        train=ENLARGED_CROP_AND_FLIP,
        test=ENLARGED_CENTRE,
        linear=Schedule(12, 0.1, 28),
        channel_order="rgb",
    ),
    "cifar100": Published(
        (0.4914, 0.4822, 0.4465),
        (0.2023, 0.1994, 0.2010),
        train=PADDED_CROP_AND_FLIP,
        test=AS_IT_IS,
        bn=Schedule(128, 0.1, 350),
        channel_order="rgb",
        remark="images stay at 32 pixels, and its val list is the training data",
    ),
    "dtd": Published(
        (0.5327, 0.4751, 0.4259),
        (0.2640, 0.2535, 0.2616),
        bn=Schedule(16, 0.01, 70),
        remark="its linear file is an unedited copy of cars",
    ),
    "eurosat": Published(
        (0.5071, 0.4867, 0.4408),
        (0.2675, 0.2565, 0.2761),
        train=BOTH_FLIPS,
        test=AS_IT_IS,
        remark="images stay at 64 pixels; the statistics are CIFAR-100's, taken for ImageNet's; base batch 128",
    ),
    "flowers": Published((0.5179, 0.4110, 0.3297), (0.2971, 0.2496, 0.2855), bn=Schedule(16, 0.01, 70)),
    "mhist": Published((0.7314, 0.6416, 0.7711), (0.1789, 0.2258, 0.1511), bn=Schedule(16, 0.01, 70)),
    "pets": Published((0.4864, 0.4483, 0.3963), (0.2612, 0.2557, 0.2623), bn=Schedule(16, 0.01, 70)),
    "plant_disease": Published(
        (0.4394, 0.4767, 0.3735),
        (0.1970, 0.1746, 0.2135),
        linear=Schedule(256, 0.01, 28, norm_before_classifier=True),
        remark="classes were weighted 1 - n/43456 in a class order of its own",
    ),
}
