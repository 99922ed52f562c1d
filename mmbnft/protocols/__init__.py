"""Protocols: how a checkpoint is adapted to a task. Pure torch, no files, any backbone."""

from mmbnft.protocols.apply import AppliedPhase, Counts, apply_phase
from mmbnft.protocols.audit import AuditError, AuditReport, Snapshot, audit, snapshot
from mmbnft.protocols.norm_layers import select_norm_layers
from mmbnft.protocols.norm_statistics import recalibrate_statistics
from mmbnft.protocols.norms import NormLayer, find_norm_layers
from mmbnft.protocols.phase_plan import PhasePlan, plan_phase
from mmbnft.protocols.presets import PRESETS, get_protocol, name_of
from mmbnft.protocols.protocol import Phase, Protocol
from mmbnft.protocols.stages import Stages, find_stages
from mmbnft.protocols.trainable_table import Row, describe, format_table

__all__ = [
    "PRESETS",
    "AppliedPhase",
    "AuditError",
    "AuditReport",
    "Counts",
    "NormLayer",
    "Phase",
    "PhasePlan",
    "Protocol",
    "Row",
    "Snapshot",
    "Stages",
    "apply_phase",
    "audit",
    "describe",
    "find_norm_layers",
    "find_stages",
    "format_table",
    "get_protocol",
    "name_of",
    "plan_phase",
    "recalibrate_statistics",
    "select_norm_layers",
    "snapshot",
]
