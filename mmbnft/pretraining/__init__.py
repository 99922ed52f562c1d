"""Pre-trains the small checkpoints with MMSelfSup's own algorithms on unlabelled photographs.

Importing this package registers the data source and the transforms that the configurations under configs/pretrain name.
"""

from mmbnft.pretraining import sources, transforms

__all__ = ["sources", "transforms"]
