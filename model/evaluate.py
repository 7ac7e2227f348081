"""Evaluation of what is served: the exported SavedModel, raw text in and raw text out, nothing else."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from model.attention_pictures import draw_attention
from model.config import EvaluateConfig
from model.export import Exported
from model.metrics import measure
from model.outputs import by_length, describe
from model.robustness import DISTURBANCES, chosen_rows
from model.samples import choose
from pipeline.batching import in_batches
from pipeline.errors import InputError
from pipeline.manifest import Manifest, sha256_of_json, write_atomically
from pipeline.pairs import read_pairs
from pipeline.stage import Outcome

FIRST: Final = ("dev", "test")  # sets, before those with names of their own
MOST_PIECES: Final = 60  # of a side in a picture that people can read
MOST_CHARACTERS: Final = 1000  # of a source that may be so few pieces

# (folder of a SavedModel, sentences, a folder for what lies there meanwhile) -> translations in the order of the
# sentences, or None where there are too few to be worth it, and the model that is loaded anyway translates them.
Decode = Callable[[Path, Sequence[str], Path], list[str] | None]
Translate = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True)
class Scores:
    """How a model did on a list of pairs.

    Args:
        values: by name; `evaluate_sets` says which.
        hypotheses: the model's translations, in the order of the pairs.
    """

    values: Mapping[str, Any]
    hypotheses: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """All but the translations."""
        return dict(self.values)


def evaluate_sets(
    config: EvaluateConfig, model: Manifest, pairs: Manifest, folder: Path, decode: Decode | None = None
) -> Outcome:
    """The body of the stage `evaluate`; see `model.stages`.

    The facts of each set are

        sentences, data_digest                      how many pairs, and SHA-256 of the list of them
        bleu, chrf, ter, ...                        0 to 100, with `bleu_signature` and so on
        length_ratio                                BLEU's tokens of the outputs to those of the references
        loss                                        nats per token of the model's vocabulary, the closing one included
        perplexity                                  e to the power of it
        empty, repeating, unknown_rate of the outputs, 0 to 1; see `model.outputs`
        by_length                                   BLEU by the number of words in the source
        robustness                                  BLEU of disturbed sources, and how far it falls
    """
    saved_model, scratch = model.directory / "export", folder / "decoding"
    exported = Exported.load(saved_model)

    def translate(sentences: Sequence[str]) -> list[str]:
        found = decode(saved_model, sentences, scratch) if decode else None
        return found if found is not None else translate_here(exported, sentences, config.batch_size)

    scores: dict[str, Scores] = {}
    samples: dict[str, dict[str, list[Any]]] = {}
    for name, sources, references in sets_of(pairs):
        scores[name] = score(exported, sources, references, config, translate)
        hypotheses = list(scores[name].hypotheses)
        columns = {"source": sources, "reference": references, "hypothesis": hypotheses}
        write_hypotheses(folder / "hypotheses" / f"{name}.parquet", columns)
        samples[name] = choose(sources, hypotheses, references)
        if name != "dev":
            draw_pictures(exported, samples[name], config.pictures, sources, folder / "attention" / name)
            if config.robustness and not exported.frame_size:
                scores[name] = with_robustness(scores[name], sources, references, config, translate)
    facts = {name: of.facts() for name, of in scores.items()}
    write_json(folder / "evaluation.json", facts)
    write_json(folder / "samples.json", samples)
    return Outcome(counts={name: of.values["sentences"] for name, of in scores.items()}, facts=facts)


def sets_of(pairs: Manifest) -> Iterator[tuple[str, list[str], list[str]]]:
    """Name, sources and references of each held-out set that has pairs: dev, test, then the others by name."""
    files = {path.stem: path for path in pairs.chain()[0].paths("*.parquet")}
    for name in sorted(files, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name)):
        held_out = list(read_pairs(files[name]))
        if held_out:
            yield name, [pair.source for pair in held_out], [pair.target for pair in held_out]


def score_model(saved_model: Path, sources: Sequence[str], references: Sequence[str], config: EvaluateConfig) -> Scores:
    """Scores a SavedModel on a list of pairs; raises `InputError` where it is none or there are no pairs."""
    return score(Exported.load(saved_model), sources, references, config)


def score(
    exported: Exported,
    sources: Sequence[str],
    references: Sequence[str],
    config: EvaluateConfig,
    translate: Translate | None = None,
) -> Scores:
    """Translates each source once and compares with the references.

    Args:
        exported: the model.
        sources: what to translate; an empty one is put to the model like any other.
        references: the right translations; an empty one counts like any other.
        config: which metrics.
        translate: what translates, where it is not done here.
    """
    if not sources or len(sources) != len(references):
        given = f"{len(sources)} sources and {len(references)} references"
        raise InputError("evaluation pairs", given, "as many references as sources, at least one of each")
    hypotheses = translate(sources) if translate else translate_here(exported, sources, config.batch_size)
    scored = in_batches(
        lambda *pairs: list(zip(*exported.score(*pairs), strict=True)),
        config.batch_size,
        sources,
        references,
        frame_size=exported.frame_size,
    )
    loss = -sum(log_probability for log_probability, _ in scored) / sum(tokens for _, tokens in scored)
    values = measure(hypotheses, references, config.bleu_tokenizer, config.metrics)
    values |= {"loss": loss, "perplexity": perplexity_of(loss)} | describe(hypotheses, references)
    values |= {
        "by_length": by_length(sources, hypotheses, references, config.bleu_tokenizer),
        "sentences": len(sources),
        "data_digest": sha256_of_json(list(zip(sources, references, strict=True))),
    }
    return Scores(values, tuple(hypotheses))


def perplexity_of(loss: float) -> float:
    """The perplexity of a loss in nats per token, which of a model that diverged may be more than a number can say.

    >>> perplexity_of(0.0), perplexity_of(1000.0)
    (1.0, inf)
    """
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def translate_here(exported: Exported, sentences: Sequence[str], batch_size: int) -> list[str]:
    """Translates in this process."""
    return in_batches(exported.translate, batch_size, sentences, frame_size=exported.frame_size)


def with_robustness(
    scores: Scores, sources: Sequence[str], references: Sequence[str], config: EvaluateConfig, translate: Translate
) -> Scores:
    """The scores, and beside them BLEU of disturbed sources: `{"typos": {"changed": 90, "bleu": 80.1, "fall": 17.0}}`.

    A source that a disturbance leaves as it is keeps its translation.
    """
    rows = chosen_rows(sources, references, config.robustness)
    expected, found = [references[row] for row in rows], [scores.hypotheses[row] for row in rows]
    base = measure(found, expected, config.bleu_tokenizer)["bleu"]
    result: dict[str, Any] = {"sentences": len(rows), "bleu": base}
    disturbed = {name: [disturb(sources[row]) for row in rows] for name, disturb in DISTURBANCES.items()}
    given = {sources[row] for row in rows}
    texts = sorted({text for of in disturbed.values() for text in of} - given)
    answers = dict(zip(texts, translate(texts), strict=True)) | {sources[row]: scores.hypotheses[row] for row in rows}
    for name, of in disturbed.items():
        bleu = measure([answers[text] for text in of], expected, config.bleu_tokenizer)["bleu"]
        changed = sum(text != sources[row] for text, row in zip(of, rows, strict=True))
        result[name] = {"changed": changed, "bleu": bleu, "fall": base - bleu}
    return Scores({**scores.values, "robustness": result}, scores.hypotheses)


def draw_pictures(
    exported: Exported, samples: Mapping[str, list[Any]], number: int, sources: Sequence[str], folder: Path
) -> None:
    """Draws the attention of some samples, `best-17.png` of sentence 17; a model without attention has no pictures."""
    rows = [(kind, sample["row"]) for kind, of in samples.items() for sample in of[:number]]
    # All of them are asked about at once, so that one of a book's length would cost the memory of many.
    shown = [(kind, row) for kind, row in rows if exported.frame_size or len(sources[row]) <= MOST_CHARACTERS]
    if not shown or not exported.has("attend"):
        return
    for (kind, row), found in zip(shown, exported.attend([sources[row] for _, row in shown]), strict=True):
        if 0 < len(found.target) <= MOST_PIECES and len(found.source) <= MOST_PIECES:
            folder.mkdir(parents=True, exist_ok=True)
            picture = draw_attention(found.source, found.target, found.attention)
            write_atomically(folder / f"{kind}-{row}.png", picture)


def write_hypotheses(path: Path, columns: Mapping[str, list[str]]) -> None:
    """Writes columns of text as Parquet."""
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path, compression="zstd")


def write_json(path: Path, value: object) -> None:
    """Writes a value as JSON that people can read."""
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())
