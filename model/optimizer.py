"""Adam, and the moving average of what it makes of the weights."""

import tensorflow as tf

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's defaults (Kingma & Ba, 2015)


def adam(
    weight: tf.Variable,
    slots: tuple[tf.Variable, tf.Variable],
    gradient: tf.Tensor,
    rate: tf.Tensor,
    is_taken: tf.Tensor,
) -> None:
    """One update by Adam (Kingma & Ba, 2015) in a single kernel; the corrections are in the rate.

    As everywhere in TensorFlow, epsilon is added to the uncorrected root, the efficient form at the end of the paper's
    section 2. An update that is not taken changes nothing: averages that decay by 1 stay as they are.

    Args:
        weight: what is updated.
        slots: the averages of the gradient and of its square.
        gradient: of the loss at the weight.
        rate: the step size, see `corrected`.
        is_taken: whether anything is to change.
    """
    mean, square = slots
    tf.raw_ops.ResourceApplyAdam(
        var=weight.handle,
        m=mean.handle,
        v=square.handle,
        beta1_power=0.0,
        beta2_power=0.0,
        lr=tf.where(is_taken, rate, 0.0),
        beta1=tf.where(is_taken, BETA_1, 1.0),
        beta2=tf.where(is_taken, BETA_2, 1.0),
        epsilon=EPSILON,
        grad=gradient,
    )


def corrected(rate: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """The step size with Adam's correction of both averages for having started at zero, as one factor of it."""
    power = tf.cast(step, tf.float32)
    return rate * (tf.sqrt(1 - BETA_2**power) / (1 - BETA_1**power))


def follow(weight: tf.Variable, average: tf.Variable, decay: tf.Tensor, is_taken: tf.Tensor) -> None:
    """Moves an average towards the weight (Polyak & Juditsky, 1992, with weights that fade)."""
    share = tf.where(is_taken, 1 - decay, 0.0)
    average.assign_add(share * (weight - average))


def decay_at(step: int, decay: float) -> float:
    """The average's decay at a step: lower at first, so that the random beginning is soon forgotten.

    >>> [round(decay_at(step, 0.999), 3) for step in (1, 90, 100_000)]
    [0.182, 0.91, 0.999]
    """
    return min(decay, (1 + step) / (10 + step))
