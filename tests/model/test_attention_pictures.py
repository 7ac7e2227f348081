"""Attention as a picture."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from model.attention_pictures import draw_attention


def test_a_strong_cell_is_dark_and_stands_where_its_pieces_are():
    source, target = [f"▁s{number}" for number in range(6)], [f"▁t{number}" for number in range(4)]
    attention = np.zeros([4, 6])
    attention[2, 5] = 1
    drawn, empty = (imread(io.BytesIO(draw_attention(source, target, values))) for values in (attention, 0 * attention))
    rows, columns = np.nonzero((drawn != empty).any(axis=2))
    assert len(rows) > 100  # a square
    height, width = rows.max() - rows.min(), columns.max() - columns.min()
    assert abs(height - width) <= 1
    assert drawn[rows, columns, 2].mean() - drawn[rows, columns, 0].mean() > 0.3  # blue


@pytest.mark.parametrize("pieces", [["▁雨", "が", "</s>"], ["▁עָבִים", "$x$", "\U0001f327"], ["▁", "", "\u0301"]])
def test_pieces_in_any_script_are_drawn_without_a_warning(pieces):
    picture = draw_attention(pieces, pieces, np.eye(3))
    assert picture[:4] == b"\x89PNG"
    assert picture == draw_attention(pieces, pieces, np.eye(3))


def test_attention_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"attention of shape \(2, 3\) for 3 target, 2 source pieces"):
        draw_attention(["a", "b"], ["a", "b", "c"], np.zeros([2, 3]))
