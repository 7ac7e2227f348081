"""What CTranslate2 makes of the Transformer: output tokens for each CPU second of one core, and BLEU, of both kinds.

    python -m tests.bench.to_ctranslate2 [OUTPUT]      a finished output of `train`, a transformer's

Without OUTPUT it is the newest one that `make bench SUITE=decode` trained. It translates test_2016_flickr of Multi30k,
1,000 sentences, 32 at a time; NIGHTSHIFT_DATA names the folder in which multi30k/ lies.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ctranslate2
from sacrebleu.metrics.bleu import BLEU

from model.config import TrainConfig
from model.to_ctranslate2 import convert, weights_of
from pipeline import manifest as manifests
from pipeline.manifest import Manifest, complete_outputs
from pipeline.vocabularies import Vocabularies
from tests.bench.multi30k import DATA
from tests.bench.report import merge, show

TRAINED = Path("build/bench/decode/multi30k-en-de/train")
BATCH = 32
SEARCHES = {"greedy": 1, "beam5": 5}
KINDS = {"f32": "float32", "int8": "int8"}


def transformer() -> Manifest:
    """The newest trained transformer."""
    found = [made for made in complete_outputs(TRAINED) if made.config["model"]["architecture"] == "transformer"]
    if not found:
        raise SystemExit(f"no transformer in {TRAINED}: run make bench SUITE=decode first, or name an output of train")
    return found[-1]


def tokens_per_cpu_s(folder: Path, pieces: Vocabularies, beams: int, penalty: float) -> tuple[float, float]:
    """The rate, and BLEU of what is said."""
    sources, references = (
        (DATA / f"test_2016_flickr.{side}").read_text(encoding="utf-8").splitlines() for side in ("en", "de")
    )
    translator = ctranslate2.Translator(str(folder), inter_threads=1, intra_threads=1)
    ids = {pieces.target.piece(token): token for token in range(pieces.target.size)}
    given = [[pieces.source.piece(token) for token in row] for row in pieces.source.encode(sources)]
    asked: dict[str, Any] = {"beam_size": beams, "length_penalty": penalty, "max_batch_size": BATCH}
    translator.translate_batch(given[:BATCH], **asked)
    started = time.process_time()
    found = [one.hypotheses[0] for one in translator.translate_batch(given, **asked)]
    seconds = time.process_time() - started
    said = pieces.target.decode([[ids[piece] for piece in row] for row in found])
    written = sum(len(row) + 1 for row in found)  # with the closing token
    return written / seconds, BLEU().corpus_score(said, [references]).score


def main(output: str | None = None) -> None:
    """Measures and prints."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    made = manifests.read(Path(output)) if output else transformer()
    config, pieces = TrainConfig(**made.config), Vocabularies.read(made)
    figures, meanings, scores = {}, {}, {}
    for kind, quantization in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            weights = weights_of(made.directory / "export", config, pieces)
            convert(weights, config, pieces, "NFC", Path(folder), quantization=quantization)
            for search, beams in SEARCHES.items():
                name = f"decode.T.ctranslate2_{kind}.{search}.tokens_per_cpu_s"
                rate, bleu = tokens_per_cpu_s(Path(folder), pieces, beams, config.search.length_penalty)
                figures[name], scores[kind, search] = rate, bleu
                meanings[name] = f"BLEU {bleu:.2f}, {bleu - scores['f32', search]:+.2f} against float32"
    show("CTranslate2, 1,000 sentences of Multi30k", figures, meanings)
    merge(figures)


if __name__ == "__main__":
    main(*sys.argv[1:])
