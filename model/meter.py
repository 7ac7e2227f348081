"""What a training does with its time, as scalars for TensorBoard."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model import flops
from model.batches import Batch
from model.scalars import EventFile
from model.trainer import Step, Trainer

EVERY = 20  # steps that one point of a curve sums up, or those of a call where they are more


@dataclass
class Sums:
    """What was added up since the last point; times in seconds."""

    loss: float = 0.0
    norm: float = 0.0
    tokens: int = 0
    steps: int = 0
    operations: float = 0.0
    waited: float = 0.0
    took: float = 0.0


class Meter:
    """Watches the steps, and writes a point of each curve now and then; skipped steps take part in none.

        train/loss                   per target token
        train/learning_rate          of the point's last step
        train/gradient_norm          mean over the steps, before clipping
        train/tokens_per_second      target tokens; measurements and checkpoints are not counted as time
        train/input_wait             share of the time that was spent waiting for a batch
        train/flops_utilisation      operations of the model's products over those that large products would attain
        dev/loss                     as measured, per target token

    Args:
        trainer: what is watched.
        events: where the points go; None, for all workers but the first: nowhere.
        devices: how many devices share the work.
    """

    def __init__(self, trainer: Trainer, events: EventFile | None, devices: int = 1) -> None:
        self._trainer = trainer
        self._events = events
        self._sums = Sums()
        self._since: float | None = None  # when the step that is under way asked for its first batch
        self._attainable = devices * flops.product_rate(trainer.config.precision) if events else 0.0

    def watch(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches, and how long each was waited for."""
        while True:
            asked = time.monotonic()
            batch = next(batches, None)
            if batch is None:
                return
            self._sums.waited += time.monotonic() - asked
            self._since = self._since or asked
            if self._events:
                self._sums.operations += flops.of_batch(self._trainer.config.model, self._trainer.vocabulary, batch)
            yield batch

    def add(self, step: int, taken: Sequence[Step], rate: float) -> None:
        """Some steps are done, the last of them with that number and step size."""
        sums, now = self._sums, time.monotonic()
        sums.took += now - (self._since or now)
        self._since = None
        for each in taken:
            if each.loss == each.loss:
                sums.loss += each.loss * each.tokens
                sums.norm += each.norm
                sums.tokens += each.tokens
                sums.steps += 1
        if step // EVERY > (step - len(taken)) // EVERY:
            self._write(step, rate)

    def measured(self, step: int, dev_loss: float | None) -> None:
        """The dev loss was measured after a step."""
        if self._events and dev_loss is not None:
            self._events.write(step, {"dev/loss": dev_loss})

    def _write(self, step: int, rate: float) -> None:
        sums, self._sums = self._sums, Sums()
        if self._events and sums.steps:
            scalars = {
                "loss": sums.loss / sums.tokens,
                "learning_rate": rate,
                "gradient_norm": sums.norm / sums.steps,
                "tokens_per_second": sums.tokens / sums.took,
                "input_wait": sums.waited / sums.took,
                "flops_utilisation": sums.operations / sums.took / self._attainable,
            }
            self._events.write(step, {f"train/{name}": value for name, value in scalars.items()})
