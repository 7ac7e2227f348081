"""Evaluation of what is served: the exported SavedModel, raw text in and raw text out, nothing else."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from model.config import EvaluateConfig
from model.export import Exported
from pipeline.errors import InputError
from pipeline.frames import count_frames
from pipeline.manifest import Manifest, sha256_of_json, write_atomically
from pipeline.pairs import read_pairs
from pipeline.stage import Outcome

SETS = ("dev", "test")
BATCH_CHARACTERS = 8192  # of a batch, padding included: scoring needs memory for each token times the vocabulary


@dataclass(frozen=True)
class Scores:
    """How a model did on a list of pairs.

    Args:
        bleu: corpus BLEU of sacreBLEU (Papineni et al., 2002; Post, 2018), 0 to 100.
        bleu_signature: how it was computed; only equal signatures can be compared.
        chrf: corpus chrF2 (Popović, 2015), 0 to 100.
        chrf_signature: how it was computed.
        loss: cross-entropy of the references in nats per token of the model's vocabulary.
        sentences: how many pairs.
        data_digest: SHA-256 of the list of pairs.
        hypotheses: the model's translations, in the order of the pairs.
    """

    bleu: float
    bleu_signature: str
    chrf: float
    chrf_signature: str
    loss: float
    sentences: int
    data_digest: str
    hypotheses: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """All but the translations."""
        return {name: value for name, value in vars(self).items() if name != "hypotheses"}


def evaluate_sets(config: EvaluateConfig, model: Manifest, pairs: Manifest, folder: Path) -> Outcome:
    """The body of the stage `evaluate`; see `model.stages`."""
    exported = Exported.load(model.directory / "export")
    (folder / "hypotheses").mkdir(exist_ok=True)
    scores: dict[str, Scores] = {}
    for name in SETS:
        for path in pairs.paths_of_all(f"{name}.parquet"):
            held_out = list(read_pairs(path))
            sources, references = [pair.source for pair in held_out], [pair.target for pair in held_out]
            if not sources:
                continue
            scores[name] = score(exported, sources, references, config)
            columns = {"source": sources, "reference": references, "hypothesis": list(scores[name].hypotheses)}
            pq.write_table(pa.table(columns), folder / "hypotheses" / f"{name}.parquet", compression="zstd")
    facts = {name: of.facts() for name, of in scores.items()}
    write_atomically(folder / "evaluation.json", (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())
    return Outcome(counts={name: of.sentences for name, of in scores.items()}, facts=facts)


def score_model(saved_model: Path, sources: Sequence[str], references: Sequence[str], config: EvaluateConfig) -> Scores:
    """Scores a SavedModel on a list of pairs; raises `InputError` where it is none or there are no pairs."""
    return score(Exported.load(saved_model), sources, references, config)


def score(exported: Exported, sources: Sequence[str], references: Sequence[str], config: EvaluateConfig) -> Scores:
    """Translates each source once and compares with the references."""
    if not sources or len(sources) != len(references):
        given = f"{len(sources)} sources and {len(references)} references"
        raise InputError("evaluation pairs", given, "as many references as sources, at least one of each")
    hypotheses = in_batches(exported.translate, config.batch_size, sources, frame_size=exported.frame_size)
    scored = in_batches(
        lambda *pairs: list(zip(*exported.score(*pairs), strict=True)),
        config.batch_size,
        sources,
        references,
        frame_size=exported.frame_size,
    )
    bleu, chrf = BLEU(tokenize=config.bleu_tokenizer), CHRF()
    return Scores(
        bleu=bleu.corpus_score(hypotheses, [list(references)]).score,
        bleu_signature=str(bleu.get_signature()),
        chrf=chrf.corpus_score(hypotheses, [list(references)]).score,
        chrf_signature=str(chrf.get_signature()),
        loss=-sum(log_probability for log_probability, _ in scored) / sum(tokens for _, tokens in scored),
        sentences=len(sources),
        data_digest=sha256_of_json(list(zip(sources, references, strict=True))),
        hypotheses=tuple(hypotheses),
    )


def in_batches(
    function: Callable[..., Sequence[Any]], size: int, *columns: Sequence[str], frame_size: int = 0
) -> list[Any]:
    """Applies a function of lists to batches of rows of similar length; results come in the order of the rows.

    A batch has at most `size` rows, and its rows times its longest text stay within `BATCH_CHARACTERS`, unless a single
    row does not. Where the first column is frames of `frame_size` numbers, its lengths are numbers of frames.

    >>> in_batches(lambda words: [word.upper() for word in words], 2, ["three", "a", "to"])
    ['THREE', 'A', 'TO']
    """
    sides = [list(map(len, column)) for column in columns]
    if frame_size:
        sides[0] = [count_frames(text, frame_size) for text in columns[0]]
    lengths = list(map(max, zip(*sides, strict=True)))
    order = sorted(range(len(lengths)), key=lambda row: [lengths[row], *(side[row] for side in sides)])
    results: list[Any] = [None] * len(order)
    for rows in chunks(order, lengths, size):
        answers = function(*([column[row] for row in rows] for column in columns))
        for row, answer in zip(rows, answers, strict=True):
            results[row] = answer
    return results


def chunks(order: Sequence[int], lengths: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Cuts rows, given from the shortest to the longest, into the batches of `in_batches`."""
    start = 0
    for end, row in enumerate(order):
        rows = end + 1 - start
        if rows > size or (rows > 1 and rows * lengths[row] > BATCH_CHARACTERS):
            yield order[start:end]
            start = end
    if order:
        yield order[start:]
