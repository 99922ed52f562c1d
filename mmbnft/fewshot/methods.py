"""The methods by name, and what each of them needs."""

from dataclasses import dataclass

from mmbnft.fewshot.sequential import episode_phase
from mmbnft.protocols.spec import NORM_STATS
from mmbnft.utils.errors import UserError, choices

NEAREST_MEAN, LOGISTIC, LINEAR = "nearest_mean", "logistic", "linear"
FEATURE_METHODS = (NEAREST_MEAN, LOGISTIC, LINEAR)


@dataclass(frozen=True)
class Method:
    """How a checkpoint is adapted to the support set of an episode.

    Attributes:
        name: `nearest_mean`, `logistic` or `linear` on frozen features; or a protocol of one phase such as `bn`,
            `bn_paper` or `finetune`, with frozen statistics unless `@batch` or `@recalibrate` follows.
        protocol: The protocol; None for a method on frozen features.
        norm_stats: What normalisation statistics do: `frozen` (those of the checkpoint), `batch` or `recalibrate`
            (those of the support set). Never those of queries.

    Raises:
        UserError: There is no such method.
    """

    name: str
    protocol: str | None = None
    norm_stats: str = "frozen"

    @classmethod
    def named(cls, name: str) -> "Method":
        """Look a method up.

        Raises:
            UserError: There is no such method.
        """
        if name in FEATURE_METHODS:
            return cls(name)
        protocol, _, stats = str(name).partition("@")
        try:
            episode_phase(protocol, stats or "frozen")
        except UserError as error:
            raise UserError(
                f"{name!r} is no few-shot method: {error}; methods on frozen features are {choices(FEATURE_METHODS)}, "
                f"others are protocols of one phase with @ and one of {choices(NORM_STATS)}, or with frozen statistics"
            ) from error
        return cls(name, protocol, stats or "frozen")
