"""Beam's part of translating: an exported SavedModel, asked batch by batch, on whatever runner.

Sentences lie in parts of some hundreds, and a part is one element: a worker reads it, cuts it into batches of similar
length, translates them, and writes the part as a whole. What is in a batch never depends on the runner, so neither does
an answer; there is no shuffle; and a part that is written need not be translated again.

    sentences/part-000003.parquet  ->  translations/part-000003.parquet
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.ml.inference.base import ModelHandler, RunInference
from apache_beam.pvalue import PCollection

from pipeline.batching import batches
from pipeline.pairs import write_table
from pipeline.quiet import tensorflow_quietly
from pipeline.running.counters import count
from pipeline.worker_files import reading, reading_folder, writing

TRANSLATIONS: Final = pa.schema([("number", pa.int64()), ("sentence", pa.large_string()), ("text", pa.large_string())])


class Part(NamedTuple):
    """The sentences of a part."""

    name: str
    sentences: list[str]


class Answers(NamedTuple):
    """The translations of a part: number of the sentence in it, sentence, translation, in the order of the work."""

    name: str
    rows: list[tuple[int, str, str]]


class ServedModel(ModelHandler[Part, Answers, Any]):
    """Asks the signature `translate` of a SavedModel: strings in, strings out.

    Args:
        saved_model: its folder, as workers call it; see `exchange`.
        batch_size: sentences translated at a time, at most.
    """

    def __init__(self, saved_model: str, batch_size: int) -> None:
        super().__init__()
        self.saved_model = saved_model
        self.batch_size = batch_size

    def load_model(self) -> Any:
        """Loads the model once a worker."""
        with tensorflow_quietly():
            import tensorflow as tf
            import tensorflow_text  # noqa: F401 - whose operations are in the model
        with reading_folder(self.saved_model) as folder:
            return tf.saved_model.load(str(folder))

    def run_inference(
        self, batch: Sequence[Part], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterator[Answers]:
        """Translates parts."""
        import tensorflow as tf

        frame_size = int(getattr(model, "frame_size", 0))  # where sources are frames, which are written as text
        for part in batch:
            rows: list[tuple[int, str, str]] = []
            for numbers in batches(self.batch_size, part.sentences, frame_size=frame_size):
                sentences = [part.sentences[number] for number in numbers]
                found = model.signatures["translate"](sentences=tf.constant(sentences, tf.string))
                texts = [text.decode() for text in found["translations"].numpy().tolist()]
                rows += zip(numbers, sentences, texts, strict=True)
                count("pairs", len(texts))
            yield Answers(part.name, rows)

    def batch_elements_kwargs(self) -> dict[str, int]:
        """One part at a time; Beam would decide by the clock how many."""
        return {"min_batch_size": 1, "max_batch_size": 1}


class TranslateParts(beam.PTransform):
    """Translates the parts of these names.

    Args:
        saved_model: folder of the model, as workers call it.
        folder: where the sentences are and the translations go, likewise.
        batch_size: sentences translated at a time, at most.
    """

    def __init__(self, saved_model: str, folder: str, batch_size: int) -> None:
        super().__init__()
        self.saved_model = saved_model
        self.folder = folder
        self.batch_size = batch_size

    def expand(self, names: PCollection[str]) -> PCollection[str]:
        return (
            names
            | "read parts" >> beam.Map(read_part, self.folder).with_output_types(Part)
            | "translate parts" >> RunInference(ServedModel(self.saved_model, self.batch_size))
            | "write parts" >> beam.Map(write_part, self.folder)
        )


def read_part(name: str, folder: str) -> Part:
    """The sentences of a part."""
    with reading(f"{folder}/sentences/{name}") as path:
        return Part(name, pq.read_table(path)["sentence"].to_pylist())


def write_part(answers: Answers, folder: str) -> str:
    """Writes the translations of a part in the order of its sentences."""
    columns = zip(*sorted(answers.rows), strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, TRANSLATIONS, strict=True)]
    with writing(f"{folder}/translations/{answers.name}") as path:
        write_table(path, pa.table(arrays, schema=TRANSLATIONS))
    return answers.name
