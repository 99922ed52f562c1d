"""The backbone wrapper and the head, registered with MMSelfSup."""

from mmbnft.models.linear_head import BnftLinearHead
from mmbnft.models.pooling import pooled_features
from mmbnft.models.protocol_backbone import ProtocolBackbone, find_protocol_backbone

__all__ = ["BnftLinearHead", "ProtocolBackbone", "find_protocol_backbone", "pooled_features"]
