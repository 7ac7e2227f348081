from pipeline.records import SentencePair


def test_phrases_and_how_they_are_said(read):
    records = read(("zh", "pinyin"), kind="pinyin")
    assert len(records) == 47_111
    assert records[2] == SentencePair("一不小心", "yí bù xiǎo xīn")
    assert read(("pinyin", "zh"), kind="pinyin", reverse=True)[2] == SentencePair("yí bù xiǎo xīn", "一不小心")
