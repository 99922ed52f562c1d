"""The checkpoint zoo: a catalogue, exact readers for published formats, and a certificate for every load."""

from mmbnft.zoo.catalogue import DEFAULT_ROOT, GROUPS, STUDY_TWELVE, entries, get_entry, group
from mmbnft.zoo.certificate import Certificate
from mmbnft.zoo.entry import IMAGENET, UNIT, CatalogueEntry, Normalisation
from mmbnft.zoo.fingerprint import fingerprint
from mmbnft.zoo.loading import Backbone, load_backbone, read_checkpoint
from mmbnft.zoo.network import Architecture, ResNet, resnet_layout
from mmbnft.zoo.padding import apply_same_padding
from mmbnft.zoo.sources import file_identity

__all__ = [
    "DEFAULT_ROOT",
    "GROUPS",
    "IMAGENET",
    "STUDY_TWELVE",
    "UNIT",
    "Architecture",
    "Backbone",
    "CatalogueEntry",
    "Certificate",
    "Normalisation",
    "ResNet",
    "apply_same_padding",
    "entries",
    "file_identity",
    "fingerprint",
    "get_entry",
    "group",
    "load_backbone",
    "read_checkpoint",
    "resnet_layout",
]
