"""The one field of a SentencePiece model's protobuf that names a path of the machine it was trained on."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def without_paths(model: bytes) -> bytes:
    """Clears `normalizer_spec.normalization_rule_tsv`, so that equal text gives equal bytes on every machine.

    The class that comes with SentencePiece wants a newer protobuf than TensorFlow takes. This one knows that field
    alone; whatever a message does not know it keeps.
    """
    text = descriptor_pb2.FieldDescriptorProto(name="normalization_rule_tsv", number=6, type=9, label=1)  # string
    spec = descriptor_pb2.FieldDescriptorProto(name="normalizer_spec", number=3, type=11, label=1)  # message
    spec.type_name = ".nightshift.NormalizerSpec"
    file = descriptor_pb2.FileDescriptorProto(
        name="nightshift/piece_model.proto", package="nightshift", syntax="proto2"
    )
    file.message_type.add(name="NormalizerSpec", field=[text])
    file.message_type.add(name="ModelProto", field=[spec])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    proto = message_factory.GetMessageClass(pool.FindMessageTypeByName("nightshift.ModelProto")).FromString(model)
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    return bytes(proto.SerializeToString(deterministic=True))
