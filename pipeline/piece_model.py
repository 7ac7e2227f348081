"""What of a SentencePiece model's protobuf is read or changed here.

The class that comes with SentencePiece wants a newer protobuf than TensorFlow takes. Those made here know one field of
one part of a model; whatever a message does not know it keeps.
"""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

STRING, MESSAGE, INTEGER = 9, 11, 5  # as protobuf numbers its types
BPE = 2  # as SentencePiece numbers its kinds of models


def without_paths(model: bytes) -> bytes:
    """Clears the field that names a path of the machine it was trained on: equal text gives equal bytes anywhere."""
    proto = known("normalizer_spec", 3, "normalization_rule_tsv", 6, STRING).FromString(model)
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    return bytes(proto.SerializeToString(deterministic=True))


def is_bpe(model: bytes) -> bool:
    """Whether it is a model of byte-pair encoding."""
    return bool(known("trainer_spec", 2, "model_type", 3, INTEGER).FromString(model).trainer_spec.model_type == BPE)


@cache
def known(part: str, part_number: int, field: str, field_number: int, kind: int) -> Any:
    """The class of a model of which one field of one part is known."""
    file = descriptor_pb2.FileDescriptorProto(name=f"nightshift/{part}.proto", package=f"nightshift.{part}")
    file.syntax = "proto2"
    inner, outer = file.message_type.add(name="Part"), file.message_type.add(name="Model")
    inner.field.add(name=field, number=field_number, type=kind, label=1)
    outer.field.add(name=part, number=part_number, type=MESSAGE, label=1, type_name=f".nightshift.{part}.Part")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"nightshift.{part}.Model"))
