"""What is looked at before anything is started, so that a mistake costs seconds and not a night."""

from flows.settings import RetrainConfig
from model.registry import Registry
from pipeline.running.beam_options import check_beam
from pipeline.sources import check_sources
from pipeline.stage import make_folder


def check(config: RetrainConfig) -> None:
    """Raises `InputError` for unreadable sources, a runner that cannot start, and places that cannot be written."""
    check_sources(config.corpus)
    check_beam(config.beam)
    Registry(config.registry, config.name).check_writable()
    make_folder(config.workspace / config.name)
