"""Executes one run: from a spec to its arm, and from what the arm reached to a result."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from mmbnft.artifacts import Artifacts
from mmbnft.evaluation.arms.base import Arm
from mmbnft.evaluation.arms.probed import ProbedArm
from mmbnft.evaluation.arms.scored import ScoredArm
from mmbnft.evaluation.arms.trained import TrainedArm, TrainerSettings
from mmbnft.evaluation.choosing import Entry, run_arm, search_arm
from mmbnft.evaluation.cost import Stopwatch
from mmbnft.evaluation.features import FeatureStore
from mmbnft.evaluation.loaded_network import build_network, frozen_backbone, network_facts
from mmbnft.evaluation.record import coordinates, shared_details
from mmbnft.evaluation.requirements import check_run
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.evaluation.session import Session
from mmbnft.evaluation.training.loaders import loading_workers
from mmbnft.evaluation.weights import weight_file
from mmbnft.host import Hook
from mmbnft.results import Result
from mmbnft.tasks import ImageCache, SplitLedger, Task, build_task
from mmbnft.utils.disk_cache import DiskCache
from mmbnft.utils.processes import Processes
from mmbnft.zoo.certificate import AnyCertificate

CACHE_LIMIT = 20 * 2**30


@dataclass(frozen=True)
class RunOptions:
    """What changes how a run is executed, never what comes out (but see `accumulation`).

    Attributes:
        work_dir: For the state of an unfinished run and for what hooks write.
        device: Where to compute.
        resume: Whether to continue from the state in `work_dir`.
        save_state: Whether to keep that state after each epoch; not worth it for runs of seconds.
        hooks: Further hooks (progress, tracking).
        save_memory: Whether to keep fewer activations where convolutions are frozen, for a little time.
        accumulation: Micro-batches in which a training batch is computed, where memory does not hold it. Steps stay
            those of the whole batch, but batch statistics are those of the micro-batches; the result says so.
        cache: Folder for decoded images (`images/`) and features of frozen backbones (`features/`), which other runs
            may share; None makes them each time.
        cache_limit: Bytes that each folder in `cache` may take.
        val_interval: Epochs between two evaluations on val while a trial, or with fit_on='train' the reported model,
            is trained; 0 for none. They are kept in the curve and change nothing.
        keep_weights: Whether the result brings the weights of its network.
        tell_trial: Called with the entry of each finished trial of the search.
        workers: Data-loading processes; None for as many as the data are worth, see `loading_workers`.
    """

    work_dir: Path
    device: torch.device = dataclasses.field(default_factory=lambda: torch.device("cpu"))
    resume: bool = False
    save_state: bool = True
    hooks: tuple[Hook, ...] = ()
    save_memory: bool = False
    accumulation: int = 1
    cache: Path | None = None
    cache_limit: int = CACHE_LIMIT
    workers: int | None = 0
    val_interval: int = 0
    keep_weights: bool = False
    tell_trial: Callable[[Entry], None] | None = None

    @property
    def images(self) -> ImageCache | None:
        """The cache of decoded images."""
        return ImageCache(self.cache / "images", self.cache_limit) if self.cache is not None else None

    @property
    def features(self) -> DiskCache | None:
        """The cache of features."""
        return DiskCache(self.cache / "features", self.cache_limit) if self.cache is not None else None


def execute(
    spec: RunSpec,
    options: RunOptions,
    task: Task | None = None,
    *,
    on_val: bool = False,
    search: Sequence[Entry] = (),
) -> Result:
    """Execute one run.

    The spec says which arm makes the result: a training-free score takes one pass over the training images, a `probe`
    on a frozen backbone is solved, everything else is trained. `run_arm` does the rest; a ledger hands out the task's
    splits in the only order in which a run may see them. The state of an unfinished run stays until `discard_state`,
    so that nothing is lost before the result is written.

    Args:
        spec: What to run.
        options: How.
        task: The spec's task, if the caller has it built already.
        on_val: Whether to end with the search: the value is the best on val, nothing is refitted, test is not seen.
        search: The search of an earlier run of the same spec on val, which is then not repeated.

    Returns:
        The result; equal specs give equal values on one machine.

    Raises:
        UserError: Something in the spec, the data or the weights is wrong, test shares images with train or val, or
            every trial failed.
    """
    task = task or build_task(spec.task, spec.split)
    check_run(spec, task)
    key = spec.key(task, on_val)
    if options.workers is None:
        options = dataclasses.replace(options, workers=loading_workers(task.images("train")))
    trains = spec.arm == "trained"
    keep = trains and options.save_state and Processes.current().is_main
    session = Session.open(options.work_dir, key, trains and options.resume, keep)
    ledger, images, features = SplitLedger(task), options.images, options.features
    caches = [cache for cache in (features, images.disk if images is not None else None) if cache is not None]
    watch = Stopwatch(options.device, caches, session.seconds_before)
    arm, certificate, store = _arm(spec, options, ledger, session, images, features)
    network = network_facts(spec.model["backbone"], store.backbone, store.multiply_adds)
    if on_val:
        outcome = search_arm(arm)
    else:

        def finish_trial(entry: Entry) -> None:
            session.finish_trial(entry)
            if options.tell_trial is not None:
                options.tell_trial(entry)

        outcome = run_arm(arm, ledger.close_choosing, session.search or search, finish_trial)
    cost = watch.cost(outcome.work.images, outcome.work.multiply_adds)
    if images is not None:
        cost["image_cache_bytes"] = images.disk.size_bytes
    chosen_on = outcome.details["chosen_on"]
    details = shared_details(spec, ledger, certificate, network, chosen_on, on_val) | outcome.details | arm.details()
    adapted = arm.adapted() if options.keep_weights and not on_val else None
    weights = weight_file(spec, adapted, certificate, task.classes, key) if adapted is not None else None
    artifacts = Artifacts(outcome.prediction.scores, weights)
    coordinated = coordinates(spec, task.name, task.metric, key, on_val)
    return coordinated.succeeded(outcome.prediction.value, cost, details, artifacts)


def _arm(
    spec: RunSpec,
    options: RunOptions,
    ledger: SplitLedger,
    session: Session,
    images: ImageCache | None,
    features: DiskCache | None,
) -> tuple[Arm, AnyCertificate, FeatureStore]:
    """The arm that makes the result of a spec, and the load certificate and the features of its checkpoint."""
    workers = options.workers or 0
    if spec.arm != "trained":
        backbone, certificate = frozen_backbone(spec, options.device)
        store = FeatureStore(spec, backbone, certificate, ledger, images, features, workers)
        return ScoredArm(spec, store) if spec.arm == "scored" else ProbedArm(spec, ledger, store), certificate, store
    network = build_network(spec, ledger, options.device, options.save_memory)
    certificate = network.certificate
    store = FeatureStore(spec, network.backbone.wrapped, certificate, ledger, images, features, workers)
    settings = TrainerSettings(options.work_dir, options.hooks, options.accumulation, workers, options.val_interval)
    return TrainedArm(spec, ledger, network, store, session, images, settings), certificate, store
