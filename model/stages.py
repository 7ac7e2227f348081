"""The stages that learn: `train` and `evaluate`. Their bodies import TensorFlow; this module does not."""

from pathlib import Path
from typing import TYPE_CHECKING

from model.config import DeviceConfig, EvaluateConfig, TrainConfig
from model.predecessor import Predecessor, predecessor_of, vectors_records
from pipeline.manifest import Manifest, input_record
from pipeline.quiet import tensorflow_quietly
from pipeline.stage import Outcome, Outside, stage

if TYPE_CHECKING:
    from model.evaluate import Decode


def look(config: TrainConfig, output_dir: Path, *inputs: Manifest) -> Outside:
    """What a training begins with: an earlier model, and token vectors."""
    records = vectors_records(config)
    found = predecessor_of(config, {made.kind: input_record(made) for made in inputs} | records)
    return Outside(records | ({"warm_start": found.record} if found else {}), given={"predecessor": found})


@stage("train", section="train", version=3, takes=("shards", "vocabulary"), makes="model", resumes=True, outside=look)
def train(
    config: TrainConfig,
    shards: Manifest,
    vocabulary: Manifest,
    *,
    folder: Path,
    devices: DeviceConfig,
    predecessor: Predecessor | None = None,
) -> Outcome:
    """Trains a sequence-to-sequence model and exports it.

    Called by the `retrain` flow after `shard`, and as

        nightshift train --preset weather --set train.steps=2000
        nightshift train --preset weather --shards gs://corpora/weather-en-fr/shard/5b7e0c44d1a9

    It writes:

        export/...                        the SavedModel: raw text in, raw text out
        vocabulary.model                  the SentencePiece model that is inside the export; with vocabulary.separate
                                          source.model and target.model instead
        weights.npz                       the exported weights once more, for another training to begin with
        history.json                      step, loss, dev loss, step size, tokens and seconds, one row a measurement
        loss.png                          the same as a picture
        tensorboard/...                   loss, step size, gradient norm, tokens a second, input wait, use of the device
        checkpoints/step-00002000.npz     all that a step changes, to go on from

    The weights that are exported, and measured on dev, are the last ones, or their average where train.ema or
    train.average_checkpoints asks for one, or with train.patience the best of those that were measured.

    Asked to end by SIGTERM it finishes its step, saves and exits with 75. After that, or killed at any moment, it goes
    on from the last checkpoint when it is run again, and on one CPU device it ends with the same bits as a run that was
    never killed.
    """
    with tensorflow_quietly():
        from model.training import train_and_export
    return train_and_export(config, shards, vocabulary, folder, devices, predecessor=predecessor)


HELD_OUT = {"pairs": ("*.parquet",)}  # what is read of the clean pairs


@stage("evaluate", section="evaluate", version=2, takes=("model", "pairs"), makes="evaluation", reads=HELD_OUT)
def evaluate(
    config: EvaluateConfig, model: Manifest, pairs: Manifest, *, folder: Path, decode: "Decode | None" = None
) -> Outcome:
    """Scores the exported model on the held-out sets, raw text to raw text.

    Called by the `retrain` flow after `train`, and as

        nightshift evaluate --preset weather

    It writes:

        evaluation.json            for each set: loss, BLEU, chrF and others with signatures, BLEU by length, ...
        samples.json               the best, median and worst outputs of each set by chrF
        hypotheses/
            dev.parquet            source, reference, hypothesis, in the order of the pairs
            test.parquet           and each set of `corpus.sets` by its name
        attention/test/
            best-17.png            what the translation of sentence 17 was written from

    Large sets are translated by a Beam job, with the same result.
    """
    with tensorflow_quietly():
        from model.evaluate import evaluate_sets
    return evaluate_sets(config, model, pairs, folder, decode)
