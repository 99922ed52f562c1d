"""Proves at the end of a run that the protocol was kept."""

from typing import Any

from mmbnft.hooks.protocol_hook import bare_model
from mmbnft.host import HOOKS, Hook
from mmbnft.models import find_protocol_backbone
from mmbnft.protocols import AuditReport, audit, snapshot
from mmbnft.utils.errors import UserError
from mmbnft.utils.processes import Processes


@HOOKS.register_module()
class ProtocolAuditHook(Hook):
    """Compares the model with itself before the run: frozen means bit-identical, trained means moved.

    Args:
        strict: Whether a violation stops the run with an error; otherwise it is logged.

    Attributes:
        report: The outcome; None until a run that took a step has ended.
    """

    PRIORITY = "NORMAL"

    def __init__(self, strict: bool = True) -> None:
        if not isinstance(strict, bool):
            raise UserError(f"strict of ProtocolAuditHook must be True or False, got {strict!r}")
        self.strict = strict
        self.report: AuditReport | None = None

    def before_run(self, runner: Any) -> None:
        """Remember every parameter and buffer by its digest."""
        self._first_step = runner.iter
        if not Processes.current().is_main:
            return
        model = bare_model(runner.model)
        backbone = find_protocol_backbone(model)
        # Taken here, because a hook that restores the protocol may run before this one's after_run.
        self._applied = backbone.applied
        self._before = snapshot(backbone.wrapped, model.head)

    def after_run(self, runner: Any) -> None:
        """Audit; an audit that fails ends the run on every process.

        Raises:
            UserError: Something frozen changed or something trained did not, and `strict` is set.
        """
        if runner.iter == self._first_step:
            return
        processes = Processes.current()
        with processes.together():
            if processes.is_main:
                self._audit(runner)

    def _audit(self, runner: Any) -> None:
        model = bare_model(runner.model)
        self.report = audit(self._before, find_protocol_backbone(model).wrapped, [self._applied], model.head)
        if self.strict:
            self.report.raise_if_failed()
        for violation in self.report.violations:
            runner.logger.warning("protocol audit: %s", violation)
