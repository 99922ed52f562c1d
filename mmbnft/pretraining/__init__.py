"""Pre-trains the small checkpoints with MMSelfSup's own algorithms on unlabelled photographs.

Importing this package registers the data source, the transforms and the hook that the configurations under
configs/pretrain name.
"""

from mmbnft.pretraining import augmentations, data_source, hooks

__all__ = ["augmentations", "data_source", "hooks"]
