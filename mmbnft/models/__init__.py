"""The backbone wrapper and the head, registered with MMSelfSup."""

from typing import TYPE_CHECKING

from mmbnft.utils.lazy import lazy_names

if TYPE_CHECKING:
    from mmbnft.models.linear_head import BnftLinearHead as BnftLinearHead
    from mmbnft.models.pooling import pooled_features as pooled_features
    from mmbnft.models.protocol_backbone import ProtocolBackbone as ProtocolBackbone
    from mmbnft.models.protocol_backbone import find_protocol_backbone as find_protocol_backbone

_HOMES = {
    "linear_head": ("BnftLinearHead",),
    "pooling": ("pooled_features",),
    "protocol_backbone": ("ProtocolBackbone", "find_protocol_backbone"),
}
__getattr__ = lazy_names(__name__, _HOMES)
