"""The largest values of rows with thousands of columns.

Letters: N rows, V columns, K values wanted.
"""

import tensorflow as tf

BLOCK = 64  # columns looked at as one
WIDE = 1024  # columns from which on looking at blocks first is quicker


def largest(values: tf.Tensor, count: tf.Tensor | int) -> tuple[tf.Tensor, tf.Tensor]:
    """The K largest values of each row, falling, and their columns, both `[N, K]`: what `tf.math.top_k` gives.

    Of equal values the one further left comes first. Wide rows are cut into blocks: the K largest values lie in the K
    blocks with the largest maxima, since each other block has K values before it. There must be K columns or more.

    >>> values, columns = largest(tf.constant([[1.0, 3.0, 2.0, 3.0]]), 3)
    >>> values.numpy().tolist(), columns.numpy().tolist()
    ([[3.0, 3.0, 2.0]], [[1, 3, 2]])
    """
    columns = values.shape[1]
    if columns is None or columns < WIDE:
        return tf.math.top_k(values, count)  # type: ignore[no-any-return]
    number = -(-columns // BLOCK)
    filled = tf.pad(values, [[0, 0], [0, number * BLOCK - columns]], constant_values=float("-inf"))
    blocks = tf.reshape(filled, [tf.shape(values)[0], number, BLOCK])
    wanted = tf.minimum(count, number)
    _, found = tf.math.top_k(tf.reduce_max(blocks, axis=2), wanted)
    found = tf.sort(found, axis=1)  # from left to right again, so that equal values are
    candidates = tf.reshape(tf.gather(blocks, found, batch_dims=1), [tf.shape(values)[0], wanted * BLOCK])
    best, places = tf.math.top_k(candidates, count)
    return best, tf.gather(found, places // BLOCK, batch_dims=1) * BLOCK + places % BLOCK
