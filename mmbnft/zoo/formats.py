"""The known file formats, as data: where the tensors lie, by which rules they are sorted, what they are worth."""

from dataclasses import dataclass

from mmbnft.utils.errors import UserError
from mmbnft.zoo.branches import BranchRules
from mmbnft.zoo.entry import IMAGENET, SWAV, UNIT, Normalisation
from mmbnft.zoo.network import Layout
from mmbnft.zoo.readers.byol import HaikuRules
from mmbnft.zoo.readers.efficientnet import EfficientNetRules
from mmbnft.zoo.readers.simclr import ConvertedRules, VariableRules
from mmbnft.zoo.rules import Drop, PrefixRules, SortRules, affine, norm

WHOLE = ""  # the file itself is the state dict
CLASSIFIER = "classifier"
WRAPPED = "wrapped"
DINO = "dino-vit"
SEARCHED = (WRAPPED, DINO)  # for which a file is searched, at every place and prefix


@dataclass(frozen=True)
class Format:
    """One file format.

    Attributes:
        id: Name in certificates and of `--format`.
        summary: One line for tables.
        rules: How tensors are sorted.
        kind: What opens the file: `torch`, `pickle` (BYOL's) or `bundle` (TensorFlow's).
        containers: Top-level keys that may hold the state dict; `WHOLE` for a bare one.
        requires: Further top-level keys that must exist.
        beside: Top-level keys known to hold other networks, which are ignored.
        proof: What keys begin with that prove the format; without them the file is read so only if a person says so.
        alone: Whether the container has to be the file's only top-level key, unless a person says so.
        counters: `required`, or `optional` where the format may lack batch counters, which are then filled with 0.
        normalisation: What the authors' code that writes this format gives its networks; None where the format proves
            nothing about it.
    """

    id: str
    summary: str
    rules: SortRules
    kind: str = "torch"
    containers: tuple[str, ...] = (WHOLE,)
    requires: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    proof: str = ""
    alone: bool = False
    counters: str = "required"
    normalisation: Normalisation | None = IMAGENET

    def is_for(self, layout: Layout | None) -> bool:
        """Whether networks of this layout come in it: those of authors, who say what inputs need, are ResNets'."""
        return self.normalisation is None or layout is None or _RESNET in layout


_RESNET = "layer1.0.conv1.weight"
_LINEAR, _MLP = affine(""), affine("0", "2")
_NONE: frozenset[str] = frozenset()
_JIGSAW = affine("fc1", "fc2")
_JIGSAW_MLP = affine("fc1.0", "fc1.2", "fc2")
_MULTICROP_HEAD = affine("0", "3") | norm("1")
_BARLOW_HEAD = frozenset({"0.weight", "3.weight", "6.weight"}) | norm("1") | norm("4")
_VICREG_HEAD = affine("0", "3") | norm("1") | norm("4") | {"6.weight"}
_SIMSIAM_PREDICTOR = frozenset({"0.weight"}) | norm("1") | affine("3")
_SIMSIAM_PROJECTOR = (
    frozenset({"0.weight", "3.weight"}) | affine("6") | norm("1") | norm("4") | norm("7", learned=False)
)

_TORCH = (
    Format(
        "pycontrast",
        "PyContrast (InsDis, PIRL, InfoMin): `model`, `module.encoder.`",
        PrefixRules(
            "module.encoder.",
            (
                Drop("module.head.", (affine("0"), affine("0", "2")), required=True),
                Drop("module.head_jig.", (_JIGSAW, _JIGSAW_MLP)),
            ),
        ),
        containers=("model",),
        beside=("contrast", "model_ema"),
    ),
    Format(
        "moco",
        "MoCo v1/v2, PCL v1/v2: `state_dict`, `module.encoder_q.`",
        PrefixRules(
            "module.encoder_q.",
            (
                Drop("module.encoder_q.fc.", (_LINEAR, _MLP), required=True),
                Drop("module.encoder_k."),
                Drop("module.queue", (frozenset({""}), frozenset({"", "_ptr"}))),
            ),
        ),
        containers=("state_dict",),
    ),
    Format(
        "multicrop",
        "SwAV, DeepCluster-v2, SeLa-v2: bare or `state_dict`, `module.`",
        PrefixRules("module.", (Drop("module.projection_head.", (_MULTICROP_HEAD,)), Drop("module.prototypes."))),
        containers=(WHOLE, "state_dict"),
        proof="module.projection_head.",
        normalisation=SWAV,
    ),
    Format(
        "barlowtwins-full",
        "Barlow Twins full checkpoint: `model`, `module.backbone.`",
        PrefixRules(
            "module.backbone.",
            (
                Drop("module.projector.", (_BARLOW_HEAD,), required=True),
                Drop("module.bn.", (norm("", learned=False),), required=True),
            ),
        ),
        containers=("model",),
    ),
    Format(
        "vicreg-full",
        "VICReg full checkpoint: `model`, `module.backbone.`",
        PrefixRules("module.backbone.", (Drop("module.projector.", (_VICREG_HEAD,), required=True),)),
        containers=("model",),
    ),
    Format(
        "simsiam-full",
        "SimSiam: `state_dict`, `module.encoder.`",
        PrefixRules(
            "module.encoder.",
            (
                Drop("module.encoder.fc.", (_SIMSIAM_PROJECTOR,), required=True),
                Drop("module.predictor.", (_SIMSIAM_PREDICTOR,), required=True),
            ),
        ),
        containers=("state_dict",),
    ),
    Format(
        "dino-full",
        "DINO full checkpoint: `teacher`, `module.backbone.`",
        PrefixRules("module.backbone.", (Drop("module.head.", required=True),)),
        containers=("teacher",),
        beside=("student", "dino_loss"),
    ),
    Format(
        "simclr-v1-converted",
        "SimCLR v1 by the public converter: `state_dict`, no prefix, `fc.`",
        PrefixRules("", (Drop("fc.", (_LINEAR,), required=True),)),
        containers=("state_dict",),
        alone=True,
        counters="optional",
        normalisation=UNIT,
    ),
    Format(
        CLASSIFIER,
        "training file of a classifier: `state_dict` and the training's state, no prefix, `fc.`",
        PrefixRules("", (Drop("fc.", (_LINEAR,), required=True),)),
        containers=("state_dict",),
        normalisation=None,
    ),
    Format(
        "simclr-v2-converted",
        "SimCLR v2 by the public converter: `resnet`, `net.` names",
        ConvertedRules(),
        containers=("resnet",),
        beside=("head",),
        counters="optional",
        normalisation=UNIT,
    ),
    Format(
        "flat",
        "bare backbone in torchvision names (Barlow Twins, DINO, VICReg, ssl-transfer)",
        PrefixRules(),
        normalisation=None,
    ),
    Format(
        "torchvision",
        "torchvision classifier: bare, `fc.`",
        PrefixRules("", (Drop("fc.", (_LINEAR,), required=True),)),
        counters="optional",
        normalisation=None,
    ),
    Format(
        "mmselfsup",
        "MMSelfSup 0.x: `meta` and `state_dict`, `backbone.`",
        PrefixRules(
            "backbone.",
            (
                Drop("neck."),
                Drop("head."),
                Drop("queue2", (frozenset({""}), frozenset({"", "_ptr"}))),
                Drop("queue", (frozenset({""}), frozenset({"", "_ptr"}))),
                Drop("encoder_q.1."),
                Drop("encoder_k.module."),  # 1.x
                Drop("encoder_k.steps", (frozenset({""}),)),
                Drop("encoder_k.0."),
                Drop("encoder_k.1."),
                Drop("online_net.1."),
                Drop("target_net.module."),  # 1.x
                Drop("target_net.steps", (frozenset({""}),)),
                Drop("target_net.0."),
                Drop("target_net.1."),
                Drop("encoder.1."),
                Drop("data_preprocessor."),
            ),
            mirrors=("encoder_q.0.", "online_net.0.", "encoder.0."),
        ),
        containers=("state_dict",),
        requires=("meta",),
        normalisation=None,
    ),
    Format(
        "mmselfsup-extracted",
        "MMSelfSup extract_backbone_weights.py: `state_dict` and `author`, no prefix",
        PrefixRules(),
        containers=("state_dict",),
        requires=("author",),
        normalisation=None,
    ),
    Format(
        "efficientnet-pytorch",
        "EfficientNet-PyTorch and its Lite networks: bare or `state_dict`, `_blocks.`",
        EfficientNetRules(),
        containers=(WHOLE, "state_dict"),
        proof="_blocks.",
        normalisation=None,
    ),
    Format(
        "tiny",
        "this project's own files (tiny/, `convert`): `meta` and `state_dict`, often float16",
        PrefixRules(),
        containers=("state_dict",),
        requires=("meta",),
        normalisation=None,
    ),
)
_OTHER = (
    Format(
        DINO,
        "DINOv2 and DINOv3 vision transformers in Meta's names: bare, or `teacher` of a training file",
        BranchRules(),
        normalisation=None,
    ),
    Format(
        WRAPPED,
        "any wrapper of one backbone: its state dict and prefix are looked for",
        BranchRules(),
        normalisation=None,
    ),
    Format(
        "simclr-tf",
        "SimCLR v1/v2 TensorFlow checkpoint: .index file, its folder or the .zip, `base_model/`",
        VariableRules(),
        kind="bundle",
        counters="optional",
        normalisation=UNIT,
    ),
    Format(
        "byol-pickle",
        "BYOL: pickle by dill, `online_params` and `online_state`, `res_net50/~/`",
        HaikuRules(),
        kind="pickle",
        counters="optional",
    ),
)
FORMATS = {entry.id: entry for entry in _TORCH + _OTHER}


def get_format(name: str) -> Format:
    """The format called `name`.

    Raises:
        UserError: There is no such format.
    """
    if name not in FORMATS:
        raise UserError(f"no file format is called {name!r}; known formats: {', '.join(FORMATS)}")
    return FORMATS[name]
