"""Which devices go with which training. Nothing heavy is imported here: a night asks before it starts."""

from model.config import DeviceConfig, TrainConfig
from pipeline.errors import InputError


def check_devices(config: TrainConfig, devices: DeviceConfig) -> None:
    """Raises `InputError` where something is to be compiled that is not of fixed shapes or not of 32 bits."""
    if not devices.compile and devices.strategy != "tpu":
        return
    key, value = ("compile", "true") if devices.compile else ("strategy", devices.strategy)
    if config.shapes != "fixed":
        raise InputError(
            f"devices.{key}", value, "train.shapes=fixed beside it", "XLA makes a program for each shape of batches"
        )
    if config.precision != "float32":
        cause = "16 bits are chosen by TensorFlow's graph optimizer, which leaves alone what XLA compiles"
        raise InputError(f"devices.{key}", value, "train.precision=float32 beside it", cause)
