import pytest
from pydantic import ValidationError

from model.config import ModelConfig


def test_heads_divide_the_width_of_a_transformer() -> None:
    for heads in ({}, {"heads": 4}):
        with pytest.raises(ValidationError, match="heads\n  a divisor of embedding_size 10"):
            ModelConfig(architecture="transformer", embedding_size=10, **heads)
        assert ModelConfig(architecture="lstm", embedding_size=10, **heads).heads == 4
    assert ModelConfig(architecture="transformer", embedding_size=12).heads == 4


@pytest.mark.parametrize(("bidirectional", "memory"), [(True, 256), (False, 128)])
def test_dot_attention_compares_equal_widths(bidirectional: bool, memory: int) -> None:
    changes = {"attention": "multiplicative", "multiplicative_form": "dot", "bidirectional": bidirectional}
    assert ModelConfig(**changes, decoder_units=memory).decoder_units == memory
    with pytest.raises(ValidationError, match=f"form\n  general, or decoder_units {memory}, as wide as"):
        ModelConfig(**changes, decoder_units=100)
    for unused in ({"attention": "additive"}, {"architecture": "transformer"}):
        assert ModelConfig(**(changes | unused), decoder_units=100).decoder_units == 100
