"""The command `nightshift export`: a registered version in a form that other programs serve."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from flows.use import Chosen, downloads
from model.registry import EXPORT, EXPORTED, Registry, is_whole, resolve_name
from model.versions import Version
from pipeline.errors import InputError
from pipeline.quiet import tensorflow_quietly
from pipeline.vocabularies import MODELS


def export_saved_model(chosen: Chosen, to: Path, batch: int | None) -> Path:
    """Puts a version's SavedModel where TensorFlow Serving looks for it, in a folder named by its number.

        to/3/saved_model.pb, variables/, ...

    Args:
        chosen: the version; each of its files is verified before, and again where it was copied to.
        to: the model's base path, which may hold other versions.
        batch: sentences that each call takes; None: any number.

    Raises:
        InputError: there is no such version, it is damaged, or that number is there already.
    """
    version, files = fetched(chosen)

    def fill(partial: Path) -> None:
        if batch:
            with tensorflow_quietly():
                from model.fixed_batch import save_fixed
            save_fixed(files / EXPORT, batch, partial)
            return
        for file in version.files:
            if file.path.startswith(f"{EXPORT}/"):
                copy = partial / file.path.removeprefix(f"{EXPORT}/")
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(files / file.path, copy)
                if not is_whole(copy, file):
                    raise InputError("--to", copy, f"the {file.bytes} bytes of version {version.number}", "a bad disk?")

    return placed(to / str(version.number), fill)


def export_ctranslate2(chosen: Chosen, to: Path, quantization: Literal["float32", "int8"]) -> Path:
    """Writes a version's transformer as a model of CTranslate2; see `model.to_ctranslate2`.

    Raises:
        InputError: there is no such version, it is no transformer, or the folder is there already.
    """
    from model.config import TrainConfig

    version, files = fetched(chosen)
    config = TrainConfig(**version.configs["train"])
    with tensorflow_quietly():
        from model.to_ctranslate2 import check, convert, weights_of
    from pipeline.cleaning import CleanConfig
    from pipeline.vocabularies import Vocabularies

    check(config.model)
    pieces = Vocabularies.of({path.name: path.read_bytes() for path in files.glob(MODELS)})
    weights = weights_of(files / EXPORT, config, pieces)
    form = CleanConfig(**version.configs["clean"]).normalize.form
    return placed(to, lambda partial: convert(weights, config, pieces, form, partial, quantization=quantization))


def fetched(chosen: Chosen) -> tuple[Version, Path]:
    """A version and the folder with its export and vocabularies, verified."""
    models = Registry(chosen.registry, resolve_name(chosen.registry, chosen.name))
    version = models.get(chosen.model)
    return version, models.fetch(version, downloads(), only=[*EXPORTED, MODELS])


def placed(folder: Path, fill: Callable[[Path], None]) -> Path:
    """A folder that appears when a function has filled it; raises `InputError` if it is there already."""
    if folder.exists():
        raise InputError("--to", folder, "a folder that does not exist yet", "nothing is overwritten")
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by a run that was killed
    try:
        partial.mkdir(parents=True)
        fill(partial)
        partial.rename(folder)
    except OSError as error:
        raise InputError("--to", folder, "a folder that can be written", str(error)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
