from pipeline.cleaning import CleanConfig, Judge
from pipeline.holdout import HeldOut, hold_out
from pipeline.keys import side_hash
from pipeline.records import SentencePair


def test_test_is_taken_first_and_no_side_is_shared():
    pairs = [
        SentencePair("one", "eins"),
        SentencePair("One!", "uno"),  # shares a source side with the first
        SentencePair("two", "EINS"),  # shares a target side with the first
        SentencePair("three", "drei"),
        SentencePair("four", "vier"),
    ]
    assert hold_out(pairs, dev=1, test=2) == ([pairs[4]], [pairs[0], pairs[3]])
    assert hold_out(pairs, dev=1, test=1, given=[SentencePair("ONE", "x")]) == ([pairs[3]], [pairs[2]])


def test_what_shares_a_side_with_a_held_out_pair_is_told():
    normalize = Judge(CleanConfig(), ("en", "de")).normalize
    dev, test = [SentencePair("one", "eins")], [SentencePair("two &amp; three", "zwei")]
    held_out = HeldOut.of({"dev": dev, "test": test}, normalize)
    assert held_out.sets == {"dev": tuple(dev), "test": tuple(test)}
    sources, targets = (set(map(side_hash, side)) for side in (["ONE.", "two & three"], ["Eins!", "zwei"]))
    assert sources <= held_out.sources
    assert targets == held_out.targets
    assert not held_out.sources & held_out.targets
