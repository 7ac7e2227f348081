"""What is looked at before anything is started, so that a mistake costs seconds and not a night."""

from collections.abc import Callable
from typing import Final

from flows.notify.config import check_notify
from flows.settings import RetrainConfig
from model.comparison import ALWAYS
from model.devices import check_devices
from model.predecessor import predecessor_of, vectors_records, within
from model.registry import CHAMPION, Registry
from pipeline.errors import InputError
from pipeline.running.beam_checks import check_beam
from pipeline.sources import check_sources, origin_of
from pipeline.stage import make_folder
from pipeline.storage import open_storage


def check(config: RetrainConfig) -> None:
    """Raises `InputError` for what `check_without_writing` finds, and for places that cannot be written."""
    for _, look in LOOKS:
        look(config)


def check_without_writing(config: RetrainConfig) -> None:
    """Raises `InputError` for sources, devices, runners, models and files that cannot be used."""
    for _, look in READING:
        look(config)


def check_corpus(config: RetrainConfig) -> None:
    """Raises `InputError` for sources that are not there, or contradict each other."""
    check_sources(config.corpus)


def check_weights(config: RetrainConfig) -> None:
    """Raises `InputError` for a weight of an origin that no source has."""
    origins = sorted({origin_of(source) for source in config.corpus.train})
    for name in config.train.weights:
        if name not in origins:
            raise InputError(f"train.weights.{name}", config.train.weights[name], f"an origin: {', '.join(origins)}")


def check_promotion(config: RetrainConfig) -> None:
    """Raises `InputError` for a rule about a set or a metric that no evaluation will know."""
    sets = ("dev", "test", *config.corpus.sets)
    metrics = (*ALWAYS, *config.evaluate.metrics)
    for key, rules in (("floors", config.promotion.floors), ("falls", config.promotion.falls)):
        for name, limits in rules.items():
            if name not in sets:
                raise InputError(f"promotion.{key}", name, f"one of the sets {', '.join(sets)}")
            for metric in limits:
                if metric not in metrics:
                    cause = "others are measured where evaluate.metrics names them"
                    raise InputError(f"promotion.{key}.{name}", metric, f"one of {', '.join(sorted(metrics))}", cause)


def check_training(config: RetrainConfig) -> None:
    """Raises `InputError` for devices that do not go with the training, and vectors that are not there."""
    check_devices(config.train, config.devices)
    vectors_records(config.train)


def check_predecessor(config: RetrainConfig) -> None:
    """Raises `InputError` where the model that the training is to begin with is not there."""
    predecessor_of(within(config.train, config.registry, config.name), {})


def check_runner(config: RetrainConfig) -> None:
    """Raises `InputError` for options that the Beam jobs cannot run with."""
    check_beam(config.beam)


def check_webhook(config: RetrainConfig) -> None:
    """Raises `InputError` where the address that is told of a failure is not there."""
    check_notify(config.notify)


def check_exchange(config: RetrainConfig) -> None:
    """Raises `InputError` for a bucket that files cannot go by to workers elsewhere, or that Dataflow cannot use."""
    given = config.beam
    places = {"beam.exchange": given.exchange} if given.is_elsewhere else {}
    if given.runner == "dataflow":
        keys = ("temp_location", "staging_location")
        places |= {f"beam.dataflow.{key}": getattr(given.dataflow, key) for key in keys}
    for parameter, place in places.items():
        if place:
            open_storage(place, parameter).check_writable()


def check_registry(config: RetrainConfig) -> None:
    """Raises `InputError` for a registry of a newer format, or one that cannot be read and written."""
    registry = Registry(config.registry, config.name)
    registry.alias(CHAMPION)
    registry.check_writable()


def check_workspace(config: RetrainConfig) -> None:
    """Raises `InputError` where the stages cannot write; makes the folder."""
    make_folder(config.workspace / config.name)


def check_lease(config: RetrainConfig) -> None:
    """Raises `InputError` where nights cannot tell each other that they are at work."""
    config.lease_storage().check_writable()


Look = Callable[[RetrainConfig], None]

# What to look at, in this order: the name by which people know it, and what raises where it cannot be used.
READING: Final[tuple[tuple[str, Look], ...]] = (
    ("corpus", check_corpus),
    ("train.weights", check_weights),
    ("promotion", check_promotion),
    ("train", check_training),
    ("train.warm_start", check_predecessor),
    ("beam", check_runner),
    ("notify", check_webhook),
)
LOOKS: Final = (
    *READING,
    ("beam.exchange", check_exchange),
    ("registry", check_registry),
    ("workspace", check_workspace),
    ("night.lease", check_lease),
)
