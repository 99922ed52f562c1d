"""The host's one door: importing it registers wrapper, head, data set, transforms and hooks with MMSelfSup.

A stock configuration needs nothing but `custom_imports = dict(imports=["mmbnft.plugin"])`.
"""

from mmbnft import hooks
from mmbnft.models import linear_head, protocol_backbone
from mmbnft.tasks import dataset

__all__ = ["dataset", "hooks", "linear_head", "protocol_backbone"]
