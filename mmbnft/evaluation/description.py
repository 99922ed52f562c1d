"""What a run would train, in words and numbers, before anything is trained."""

from mmbnft.evaluation.loaded_network import built
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.models.building import build_backbone
from mmbnft.protocols import describe, format_table


def describe_run(spec: RunSpec) -> str:
    """One table for each phase of the run's protocol: layer, kind, trainable, statistics mode, values, totals.

    Raises:
        UserError: The backbone cannot be built or the protocol has no meaning for it.
    """
    backbone = built(build_backbone, spec.model["backbone"])
    protocol = spec.adaptation
    parts = []
    for number, phase in enumerate(protocol.phases, start=1):
        own = f"{spec.recipe.epochs} epochs" if spec.recipe.epochs else f"{spec.recipe.steps:,} steps"
        length = f"{phase.epochs} epochs" if phase.epochs else f"the recipe's {own}"
        head = (
            f"protocol {protocol.name} ({protocol.published_as}), phase {number} of {len(protocol.phases)}: "
            f"train {phase.train}, norm layers {phase.norm_layers}, statistics {phase.norm_stats}, {length}, "
            f"learning rate x {phase.lr_scale:g}; the head always trains"
        )
        parts.append(f"{head}\n\n{format_table(describe(backbone, phase))}")
    return "\n\n".join(parts)
