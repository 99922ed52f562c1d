"""Registered mmcv hooks, one concern each."""

from mmbnft.hooks.audit_hook import ProtocolAuditHook
from mmbnft.hooks.finite_loss_hook import FiniteLossHook
from mmbnft.hooks.progress_hook import ProgressHook, progress_bar, report
from mmbnft.hooks.protocol_hook import ProtocolHook, bare_model
from mmbnft.hooks.result_hook import ResultHook
from mmbnft.hooks.tensorboard_hook import BnftTensorboardHook
from mmbnft.hooks.wandb_hook import BnftWandbHook

__all__ = [
    "BnftTensorboardHook",
    "BnftWandbHook",
    "FiniteLossHook",
    "ProgressHook",
    "ProtocolAuditHook",
    "ProtocolHook",
    "ResultHook",
    "bare_model",
    "progress_bar",
    "report",
]
