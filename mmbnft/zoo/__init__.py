"""The checkpoint zoo: a catalogue, exact readers for published formats, and a certificate for every load."""

from typing import TYPE_CHECKING

from mmbnft.utils.lazy import lazy_names

if TYPE_CHECKING:
    from mmbnft.zoo.architecture import Architecture as Architecture
    from mmbnft.zoo.catalogue import DEFAULT_ROOT as DEFAULT_ROOT
    from mmbnft.zoo.catalogue import GROUPS as GROUPS
    from mmbnft.zoo.catalogue import STUDY_TWELVE as STUDY_TWELVE
    from mmbnft.zoo.catalogue import entries as entries
    from mmbnft.zoo.catalogue import get_entry as get_entry
    from mmbnft.zoo.catalogue import group as group
    from mmbnft.zoo.certificate import Certificate as Certificate
    from mmbnft.zoo.checkpoint import Checkpoint as Checkpoint
    from mmbnft.zoo.checkpoint import resolve_checkpoint as resolve_checkpoint
    from mmbnft.zoo.checkpoint import resolve_checkpoints as resolve_checkpoints
    from mmbnft.zoo.entry import IMAGENET as IMAGENET
    from mmbnft.zoo.entry import UNIT as UNIT
    from mmbnft.zoo.entry import CatalogueEntry as CatalogueEntry
    from mmbnft.zoo.entry import Normalisation as Normalisation
    from mmbnft.zoo.loading import Backbone as Backbone
    from mmbnft.zoo.loading import load_backbone as load_backbone
    from mmbnft.zoo.loading import read_checkpoint as read_checkpoint
    from mmbnft.zoo.network import ResNet as ResNet
    from mmbnft.zoo.network import resnet_layout as resnet_layout
    from mmbnft.zoo.padding import apply_same_padding as apply_same_padding
    from mmbnft.zoo.sources import file_identity as file_identity

_HOMES = {
    "catalogue": (
        "DEFAULT_ROOT",
        "GROUPS",
        "STUDY_TWELVE",
        "entries",
        "get_entry",
        "group",
    ),
    "certificate": ("Certificate",),
    "checkpoint": (
        "Checkpoint",
        "resolve_checkpoint",
        "resolve_checkpoints",
    ),
    "entry": (
        "IMAGENET",
        "UNIT",
        "CatalogueEntry",
        "Normalisation",
    ),
    "loading": (
        "Backbone",
        "load_backbone",
        "read_checkpoint",
    ),
    "architecture": ("Architecture",),
    "network": (
        "ResNet",
        "resnet_layout",
    ),
    "padding": ("apply_same_padding",),
    "sources": ("file_identity",),
}
__getattr__ = lazy_names(__name__, _HOMES)
