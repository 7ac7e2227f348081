"""What is looked at before anything is started, so that a mistake costs seconds and not a night."""

from flows.settings import RetrainConfig
from model.comparison import ALWAYS
from model.devices import check_devices
from model.predecessor import predecessor_of, vectors_records, within
from model.registry import Registry
from pipeline.errors import InputError
from pipeline.running.beam_checks import check_beam
from pipeline.sources import check_sources, origin_of
from pipeline.stage import make_folder
from pipeline.storage import open_storage


def check(config: RetrainConfig) -> None:
    """Raises `InputError` for what `check_without_writing` finds, and for places that cannot be written."""
    check_without_writing(config)
    if config.beam.is_elsewhere and config.beam.exchange:
        open_storage(config.beam.exchange, "beam.exchange").check_writable()
    Registry(config.registry, config.name).check_writable()
    make_folder(config.workspace / config.name)


def check_without_writing(config: RetrainConfig) -> None:
    """Raises `InputError` for sources, devices, runners, models and files that cannot be used."""
    check_sources(config.corpus)
    check_weights(config)
    check_promotion(config)
    check_devices(config.train, config.devices)
    vectors_records(config.train)
    predecessor_of(within(config.train, config.registry, config.name), {})
    check_beam(config.beam)


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
