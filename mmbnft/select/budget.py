"""How much a selection may spend: hours of computing, a number of training runs, or a share of fine-tuning all."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mmbnft.utils.errors import UserError

SECONDS = {"h": 3600.0, "min": 60.0, "s": 1.0}
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*(h|min|s|runs?|%)")


@dataclass(frozen=True)
class Spent:
    """What a selection has cost.

    Attributes:
        proxy_seconds: Seconds of all proxies.
        trainings: Share of the whole length and seconds of each training.
    """

    proxy_seconds: float = 0.0
    trainings: Sequence[tuple[float, float]] = ()

    @property
    def whole_seconds(self) -> float | None:
        """Seconds of a whole training, by those so far; None before the first."""
        length = sum(share for share, _ in self.trainings)
        return sum(seconds for _, seconds in self.trainings) / length if length else None

    @property
    def seconds(self) -> float:
        """Seconds of everything."""
        return self.proxy_seconds + sum(seconds for _, seconds in self.trainings)

    @property
    def whole(self) -> float:
        """Everything in full training runs."""
        proxies = self.proxy_seconds / self.whole_seconds if self.whole_seconds else 0.0
        return proxies + sum(share for share, _ in self.trainings)


@dataclass(frozen=True)
class Budget:
    """What may be spent.

    Attributes:
        amount: Seconds, training runs of any length, or the share of one whole training of each checkpoint.
        unit: `seconds`, `runs` or `share`.
    """

    amount: float
    unit: str

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read `2h`, `90min`, `40runs` or `30%`.

        Raises:
            UserError: It is none of these, or nothing.
        """
        found = _FORM.fullmatch(text.strip())
        amount = float(found[1]) if found else 0.0
        if found is None or amount <= 0:
            raise UserError(
                f"--budget must be hours, minutes or seconds of compute, a number of runs, or a share of "
                f"fine-tuning every checkpoint, got {text!r}; write it like 2h, 90min, 40runs or 30%"
            )
        unit = found[2]
        if unit in SECONDS:
            return cls(amount * SECONDS[unit], "seconds")
        if unit == "%":
            return cls(amount / 100, "share")
        if amount != int(amount):
            raise UserError(f"--budget must be a whole number of runs, got {text!r}; write it like 40runs")
        return cls(amount, "runs")

    def left(self, spent: Spent, checkpoints: int) -> tuple[float, float]:
        """What is left, in full runs and in training runs of any length; infinite where it does not limit them.

        Args:
            spent: What was spent.
            checkpoints: Number of checkpoints.
        """
        if self.unit == "runs":
            return math.inf, self.amount - len(spent.trainings)
        if self.unit == "share":
            return self.amount * checkpoints - spent.whole, math.inf
        rest = self.amount - spent.seconds
        if spent.whole_seconds is None:
            # One training shows how long the others take.
            return (math.inf, 1.0) if rest > 0 else (0.0, 0.0)
        return rest / spent.whole_seconds, math.inf

    def extended(self, spent: Spent, share: float, checkpoints: int) -> str:
        """As text, the budget that a further training needs.

        Args:
            spent: What was spent.
            share: Length of that training as a share of the whole.
            checkpoints: Number of checkpoints.
        """
        if self.unit == "runs":
            return f"{len(spent.trainings) + 1}runs"
        if self.unit == "share":
            return f"{math.ceil(100 * (spent.whole + share) / checkpoints)}%"
        return f"{math.ceil(1.05 * (spent.seconds + share * (spent.whole_seconds or 0.0)))}s"
