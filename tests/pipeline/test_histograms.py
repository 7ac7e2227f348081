"""The picture of lengths: what it shows, and that equal summaries give equal bytes."""

import io
import logging
import struct
import subprocess
import sys
import zlib

import numpy as np
import pyarrow as pa
import pytest

from pipeline.histograms import BEFORE, NEW, draw_lengths, rows_of
from pipeline.summaries import Sizes, Summary


def summary_of(lengths, ratio=1.0):
    summary = Summary.of_nothing(Sizes(8, 8))
    sides = [[[4] * max(1, round(length * factor)) for length in lengths] for factor in (1, ratio)]
    columns = [pa.array(side, pa.large_list(pa.int64())) for side in sides]
    summary.add(pa.RecordBatch.from_arrays(columns, names=["source", "target"]))
    return summary


def chunks_of(png):
    """The chunks of a PNG: type and content, each checked against its checksum."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place = 8
    while place < len(png):
        size, kind = struct.unpack(">I4s", png[place : place + 8])
        content = png[place + 8 : place + 8 + size]
        assert struct.unpack(">I", png[place + 8 + size : place + 12 + size])[0] == zlib.crc32(kind + content)
        yield kind, content
        place += 12 + size


def pixels_of(png, colour):
    """How many pixels have a colour, given as #rrggbb, in the left, the middle and the right third."""
    from matplotlib.image import imread

    image = (imread(io.BytesIO(png), format="png")[:, :, :3] * 255).round().astype(int)
    is_colour = (image == [int(colour[place : place + 2], 16) for place in (1, 3, 5)]).all(axis=2)
    return [int(third.sum()) for third in np.array_split(is_colour, 3, axis=1)]


NIGHTS = {"news": summary_of(range(1, 300), 1.3), "web": summary_of([5, 6, 7] * 50, 0.8)}


def test_the_new_pairs_are_bars_and_those_before_a_line():
    png = draw_lengths({"news": NIGHTS["news"]}, {"news": NIGHTS["web"]})
    bars, lines = pixels_of(png, NEW), pixels_of(png, BEFORE)
    assert all(panel > 1000 for panel in bars)
    assert all(panel > 100 for panel in lines)


def test_the_first_generation_has_no_line():
    png = draw_lengths({"news": NIGHTS["news"]}, {})
    assert all(panel > 1000 for panel in pixels_of(png, NEW))
    assert pixels_of(png, BEFORE) == [0, 0, 0]


def test_a_generation_without_pairs_is_a_line_alone():
    png = draw_lengths({}, {"news": NIGHTS["news"]})
    assert pixels_of(png, NEW) == [0, 0, 0]
    assert all(panel > 100 for panel in pixels_of(png, BEFORE))


def test_there_is_a_row_for_all_and_one_for_each_large_origin():
    assert [title for title, _, _ in rows_of({"news": NIGHTS["news"]}, {"news": NIGHTS["web"]})] == ["all pairs"]
    rows = rows_of(NIGHTS, {"web": NIGHTS["web"]})
    assert [(title, new.pairs, before and before.pairs) for title, new, before in rows] == [
        ("all pairs", 449, 150),
        ("news", 299, None),
        ("web", 150, 150),
    ]
    many = {f"origin {number}": summary_of([1] * number) for number in range(1, 20)}
    assert [new.pairs for _, new, _ in rows_of(many, {})] == [190, 19, 18, 17, 16, 15, 14]
    header = dict(chunks_of(draw_lengths(NIGHTS, {})))[b"IHDR"]
    assert struct.unpack(">II", header[:8]) == (1560, 1070)


@pytest.mark.filterwarnings("error")
def test_names_of_origins_are_text_in_any_script():
    png = draw_lengths(dict.fromkeys(["$x_1$", "日本語"], NIGHTS["web"]), {})
    assert png != draw_lengths(dict.fromkeys(["x", "y"], NIGHTS["web"]), {})


def test_equal_summaries_give_equal_bytes_whatever_a_person_has_set():
    import matplotlib as mpl

    first = draw_lengths(NIGHTS, {})
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "black", "savefig.dpi": 30}):
        again = draw_lengths(NIGHTS, {})
        assert mpl.rcParams["font.size"] == 20
    assert again == first
    assert {kind for kind, _ in chunks_of(first)} == {b"IHDR", b"pHYs", b"IDAT", b"IEND"}  # no time, no version


def test_drawing_leaves_the_log_as_it_was():
    logger = logging.getLogger("matplotlib")
    level = logger.level
    draw_lengths({"web": NIGHTS["web"]}, {})
    assert logger.level == level


def test_the_first_picture_on_a_machine_prints_nothing(tmp_path):
    code = (
        "import pyarrow as pa; from pipeline.histograms import draw_lengths;"
        "from pipeline.summaries import Sizes, Summary;"
        "summary = Summary.of_nothing(Sizes(8, 8)); ids = pa.array([[4, 5], [6]], pa.large_list(pa.int64()));"
        "summary.add(pa.RecordBatch.from_arrays([ids, ids], names=['source', 'target']));"
        "draw_lengths({'a': summary}, {})"
    )
    home, cache = tmp_path / "home", tmp_path / "cache"
    home.mkdir()
    environment = {"HOME": str(home), "MPLCONFIGDIR": str(cache), "PATH": ""}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert list(home.iterdir()) == []
