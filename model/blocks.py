"""Rows of thousands of columns, looked at in blocks first: their largest values, and a column drawn at random.

Letters: N rows, V columns, K values wanted.
"""

import tensorflow as tf

BLOCK = 64  # columns looked at as one
WIDE = 1024  # columns from which on looking at blocks first is quicker


def largest(values: tf.Tensor, count: tf.Tensor | int, first: int = 0) -> tuple[tf.Tensor, tf.Tensor]:
    """The K largest values of each row, falling, and their columns, both `[N, K]`: what `tf.math.top_k` gives.

    Of equal values the one further left comes first. Wide rows are cut into blocks: the K largest values lie in the K
    blocks with the largest maxima, since each other block has K values before it. Columns before the `first` do not
    count, and K columns or more must.

    >>> values, columns = largest(tf.constant([[1.0, 3.0, 2.0, 3.0]]), 3)
    >>> values.numpy().tolist(), columns.numpy().tolist()
    ([[3.0, 3.0, 2.0]], [[1, 3, 2]])
    """
    columns = values.shape[1]
    if columns is None or columns < WIDE:
        best, places = tf.math.top_k(values[:, first:], count)
        return best, places + first
    blocks = in_blocks(values, float("-inf"))
    maxima = tf.reduce_max(blocks, axis=2)
    if first:
        maxima = tf.concat([tf.reduce_max(values[:, first:BLOCK], axis=1, keepdims=True), maxima[:, 1:]], axis=1)
    wanted = tf.minimum(count, tf.shape(blocks)[1])
    _, found = tf.math.top_k(maxima, wanted)
    found = tf.sort(found, axis=1)  # from left to right again, so that equal values are
    candidates = tf.gather(blocks, found, batch_dims=1)  # [N, K, 64]
    if first:
        candidates = tf.where(found[:, :, tf.newaxis] * BLOCK + tf.range(BLOCK) < first, float("-inf"), candidates)
    best, places = tf.math.top_k(tf.reshape(candidates, [tf.shape(values)[0], wanted * BLOCK]), count)
    return best, tf.gather(found, places // BLOCK, batch_dims=1) * BLOCK + places % BLOCK


def draw(shares: tf.Tensor, chances: tf.Tensor) -> tf.Tensor:
    """A column of each row, int32 `[N]`, as probable as its share of the row is large.

    The shares `[N, V]` need not sum to 1; the chances `[N]` are evenly distributed in [0, 1). A share of 0 is never
    drawn, whatever is lost in rounding.

    >>> draw(tf.constant([[1.0, 0.0, 3.0]] * 3), tf.constant([0.2, 0.3, 0.9])).numpy().tolist()
    [0, 2, 2]
    """
    blocks = in_blocks(shares, 0.0)
    below = tf.cumsum(tf.reduce_sum(blocks, axis=2), axis=1)  # [N, V/64], up to the end of each block
    target = (chances * below[:, -1])[:, tf.newaxis]
    block = tf.reduce_sum(tf.cast(below <= target, tf.int32), axis=1)
    rest = target - tf.reduce_max(tf.where(below <= target, below, 0.0), axis=1, keepdims=True)
    inside = tf.cumsum(tf.gather(blocks, block, batch_dims=1), axis=1)  # [N, 64]
    rest = tf.minimum(rest, inside[:, -1:] * (1 - 1e-6))  # both sums of a block are rounded in ways of their own
    return block * BLOCK + tf.reduce_sum(tf.cast(inside <= rest, tf.int32), axis=1)


def in_blocks(values: tf.Tensor, filler: float) -> tf.Tensor:
    """Cuts rows into blocks, the last one being filled up: `[N, V]` to `[N, V/64, 64]`."""
    rows, columns = tf.shape(values)[0], values.shape[1] or tf.shape(values)[1]
    number = -(-columns // BLOCK)
    filled = tf.pad(values, [[0, 0], [0, number * BLOCK - columns]], constant_values=filler)
    return tf.reshape(filled, [rows, number, BLOCK])
