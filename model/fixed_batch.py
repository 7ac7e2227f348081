"""An exported model that takes a fixed number of sentences, for servers and compilers that plan their memory ahead."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import tensorflow as tf

from model.export import Exported

TAKEN: Final = {"translate": ("sentences",), "score": ("sources", "targets")}


def save_fixed(saved_model: Path, batch: int, folder: Path) -> None:
    """Writes a SavedModel whose signatures take `batch` sentences, no more and no fewer.

    It has `translate`, also called `serving_default`, and `score`; what they give is that of the model it is made from.

    Args:
        saved_model: an exported model.
        batch: sentences at a time; a caller with fewer fills up with "".
        folder: where it goes.

    Raises:
        InputError: there is no exported model.
    """
    loaded = Exported.load(saved_model).loaded
    module = tf.Module()
    module.loaded = loaded  # or its variables would be gone

    def fixed(name: str) -> Callable[..., dict[str, tf.Tensor]]:
        def call(*texts: tf.Tensor) -> dict[str, tf.Tensor]:
            found = loaded.signatures[name](**dict(zip(TAKEN[name], texts, strict=True)))
            return {key: tf.ensure_shape(values, [batch]) for key, values in found.items()}

        return call

    signatures: dict[str, Any] = {
        name: tf.function(
            fixed(name), input_signature=[tf.TensorSpec([batch], tf.string, key) for key in keys], autograph=False
        )
        for name, keys in TAKEN.items()
    }
    signatures["serving_default"] = signatures["translate"]
    tf.saved_model.save(module, str(folder), signatures=signatures)
