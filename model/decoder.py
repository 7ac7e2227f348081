"""A recurrent cell that is fed what attention found a step before, running along the true targets.

Letters: B sentences, S source positions, T target positions, M width of the memory, H units, G gates, A width of keys.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from model.attention import AdditiveAttention, Memory, average, compare, compare_gradient
from model.gradients import with_gradient
from model.recurrent import Cell, State, arrays, delayed, masked, weight_gradient, write


class FedState(NamedTuple):
    """What a cell that is fed remembers between two steps."""

    cell: State  # each [B, H]
    context: tf.Tensor  # [B, M]: what attention found at the step before


def advance(
    cell: Cell, attention: AdditiveAttention, memory: Memory, state: FedState, projected: tf.Tensor
) -> FedState:
    """One step: the cell is fed the last context (input feeding; Luong et al., 2015), then its new state asks."""
    after = cell.step(projected, state.context, state.cell)
    return FedState(after, attention.attend(after[0], memory))


def run(
    cell: Cell,
    attention: AdditiveAttention,
    memory: Memory,
    state: FedState,
    projected: tf.Tensor,
    *,
    learns: bool,
    mask: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """All steps of `advance`: `[T, B, G*H]` to the shown states `[T, B, H]` and the contexts `[T, B, M]`.

    What a step sees of the context and the state before is multiplied by `mask`, `[B, M + H]`, if there is one.

    For learning, the gradient is written out for the same reason as in `recurrent.run`: what can be one product over
    all steps (the recurrent kernel, the query kernel, the memory) waits until the loop is over.
    """

    def forward(*given: tf.Tensor) -> Any:
        projected, recurrent, query_kernel, vector, values, keys, *others = given
        first = FedState(tuple(others[:-1]), others[-1])
        steps = tf.shape(projected)[0]
        keeps = cell.keeps if learns else 0

        def ahead(step: tf.Tensor, state: FedState, kept: Any) -> Any:
            product = tf.matmul(masked(tf.concat([state.context, state.cell[0]], axis=1), mask), recurrent)
            after, known = cell.gate(projected[step], product, state.cell)
            query = tf.matmul(after[0], query_kernel)
            weights = compare(query, keys, memory.hidden, vector)
            state = FedState(after, average(weights, values))
            return step + 1, state, write(kept, step, (query, weights, state.context, *after, *known[:keeps]))

        kept = arrays(steps, 3 + cell.states + keeps)
        *_, kept = tf.while_loop(lambda step, *_: step < steps, ahead, (0, first, kept))
        queries, weights, contexts, *rooms = kept
        seen = contexts.stack()
        passed = [room.stack() for room in rooms[: cell.states]]
        known = rooms[cell.states :]

        def backward(*gradients: tf.Tensor) -> list[tf.Tensor]:
            at_shown, at_seen = gradients
            earlier = [delayed(start, part) for start, part in zip(first.cell, passed, strict=True)]

            def back(step: tf.Tensor, later: FedState, sums: Any, kept: Any) -> Any:
                at_context = later.context + at_seen[step]
                at_weights = tf.linalg.matvec(values, at_context)  # [B, S]
                at_query, *more = compare_gradient(queries.read(step), keys, vector, weights.read(step), at_weights)
                at_state = later.cell[0] + at_shown[step] + tf.matmul(at_query, query_kernel, transpose_b=True)
                of_step = tuple(room.read(step) for room in known)
                before = tuple(part[step] for part in earlier)
                at_input, at_cell = cell.back(of_step, before, (at_state, *later.cell[1:]))
                at_product = cell.at_product(at_input, of_step)
                fed = masked(tf.matmul(at_product, recurrent, transpose_b=True), mask)
                fed_context, fed_state = tf.split(fed, [values.shape[2], cell.units], axis=1)
                later = FedState((at_cell[0] + fed_state, *at_cell[1:]), fed_context)
                sums = tuple(total + part for total, part in zip(sums, more, strict=True))
                return step - 1, later, sums, write(kept, step, (at_input, at_query, at_context))

            zeros = tf.nest.map_structure(tf.zeros_like, (first, (keys, vector)))
            _, at_first, sums, kept = tf.while_loop(
                lambda step, *_: step >= 0, back, (steps - 1, *zeros, arrays(steps, 3))
            )
            at_inputs, at_queries, at_contexts = (room.stack() for room in kept)
            at_products = cell.at_product(at_inputs, tuple(room.stack() for room in known))
            fed = masked(tf.concat([delayed(first.context, seen), earlier[0]], axis=2), mask)  # [T, B, M + H]
            at_values = tf.matmul(
                tf.transpose(weights.stack(), [1, 2, 0]), tf.transpose(at_contexts, [1, 0, 2])
            )  # [B, S, T] x [B, T, M]
            return [
                at_inputs,
                weight_gradient(fed, at_products),
                weight_gradient(passed[0], at_queries),
                sums[1],
                at_values,
                sums[0],
                *at_first.cell,
                at_first.context,
            ]

        return (passed[0], seen), backward

    return with_gradient(  # type: ignore[no-any-return]
        forward,
        projected,
        tf.convert_to_tensor(cell.recurrent),
        tf.convert_to_tensor(attention.query_kernel),
        tf.convert_to_tensor(attention.vector),
        memory.values,
        memory.keys,
        *state.cell,
        state.context,
        learns=learns,
    )
