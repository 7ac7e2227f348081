"""Scores of outputs against references, each with a signature: only scores of equal signatures can be compared.

Corpus BLEU (Papineni et al., 2002), chrF2 (Popović, 2015) and TER (Snover et al., 2006) are sacreBLEU's (Post, 2018).
The others are for tasks that are not translation. All but BLEU and chrF are measured where `evaluate.metrics` asks.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from model.distances import common_length, edit_distance

Texts = Sequence[str]

# Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, kana, Chinese characters. A character is a word.
UNSPACED: Final = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
WORD: Final = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")


def words(text: str) -> list[str]:
    """What lengths are counted in.

    >>> words("Light rain."), words("小雨 20 mm")
    (['Light', 'rain.'], ['小', '雨', '20', 'mm'])
    """
    return WORD.findall(text)


def measure(hypotheses: Texts, references: Texts, bleu_tokenizer: str, further: Sequence[str] = ()) -> dict[str, Any]:
    """The scores of outputs by name, each with its signature as `<name>_signature`.

    >>> measure(["pluie faible"], ["pluie faible"], "13a", ["exact_match"])  # doctest: +SKIP
    {'bleu': 100.0, 'bleu_signature': 'nrefs:1|case:mixed|...', 'length_ratio': 1.0, 'chrf': 100.0, ...,
     'exact_match': 100.0, 'exact_match_signature': 'form:nfc|ends:stripped|version:1'}

    Args:
        hypotheses: outputs, at least one.
        references: what they should be.
        bleu_tokenizer: what BLEU is to cut words with.
        further: names of `METRICS`.
    """
    bleu, chrf = BLEU(tokenize=bleu_tokenizer), CHRF()
    found, expected = bleu.corpus_score(hypotheses, [references]), [list(references)]
    scores: dict[str, Any] = {
        "bleu": found.score,
        "bleu_signature": str(bleu.get_signature()),
        "length_ratio": found.sys_len / found.ref_len if found.ref_len else 0.0,
        "chrf": chrf.corpus_score(hypotheses, expected).score,
        "chrf_signature": str(chrf.get_signature()),
    }
    for name in further:
        scores[name], scores[f"{name}_signature"] = METRICS[name](hypotheses, references)
    return scores


def ter(hypotheses: Texts, references: Texts) -> tuple[float, str]:
    """Edits that make references of outputs, moving a phrase being one, for 100 words of the references."""
    metric = TER()
    score = metric.corpus_score(hypotheses, [list(references)]).score
    return score, str(metric.get_signature())


def exact_match(hypotheses: Texts, references: Texts) -> tuple[float, str]:
    """How many of 100 outputs are the reference, up to Unicode form and white space around it."""
    equal = sum(plain(one) == plain(other) for one, other in zip(hypotheses, references, strict=True))
    return 100 * equal / len(references), "form:nfc|ends:stripped|version:1"


def token_error_rate(hypotheses: Texts, references: Texts) -> tuple[float, str]:
    """Insertions, deletions and replacements of words for 100 words of the references.

    Where the references have no words at all it is 0 for outputs without any and 100 otherwise.
    """
    pairs = [(words(plain(one)), words(plain(other))) for one, other in zip(hypotheses, references, strict=True)]
    edits, length = sum(edit_distance(*pair) for pair in pairs), sum(len(reference) for _, reference in pairs)
    rate = 100 * edits / length if length else 100.0 * bool(edits)
    return rate, "form:nfc|tok:words|avg:micro|version:1"


def rouge_l(hypotheses: Texts, references: Texts) -> tuple[float, str]:
    """F1 of the longest common subsequence of words, 0 to 100, averaged over the outputs (ROUGE-L; Lin, 2004).

    Case and punctuation count, and any script does. Two empty texts have 100, an empty and another one 0.
    """
    total = 0.0
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        one, other = words(plain(hypothesis)), words(plain(reference))
        # F1 of precision c/n and recall c/m is 2c/(n + m).
        total += 2 * common_length(one, other) / (len(one) + len(other)) if one or other else 1.0
    return 100 * total / len(references), "form:nfc|tok:words|case:mixed|f:1|avg:macro|version:1"


METRICS: Final[Mapping[str, Callable[[Texts, Texts], tuple[float, str]]]] = {
    "ter": ter,
    "exact_match": exact_match,
    "token_error_rate": token_error_rate,
    "rouge_l": rouge_l,
}


def plain(text: str) -> str:
    """A text in its composed form, without white space around it."""
    return unicodedata.normalize("NFC", text).strip()
