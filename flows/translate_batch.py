"""Translating a file as a flow, for whoever has no shell on the machine that holds the model."""

from typing import Annotated, Final, get_args

from prefect import flow
from pydantic import Field

from flows.models import DEFAULT
from flows.translating import Options, translate
from flows.translating_job import translate_by_job
from flows.use import Chosen
from pipeline.beam_config import BeamConfig

IN_PROCESS: Final = "none"
RUNNERS: Final = [IN_PROCESS, *get_args(BeamConfig.model_fields["runner"].annotation)]


@flow(name="translate-batch", flow_run_name="translate {source}", persist_result=False)
def translate_batch(
    source: str,
    target: str,
    *,
    registry: str = DEFAULT,
    name: str = "",
    model: str = "champion",
    beams: Annotated[int, Field(ge=0, le=32)] = 0,
    runner: Annotated[str, Field(json_schema_extra={"enum": RUNNERS})] = IN_PROCESS,
) -> None:
    """Translate a file into another, sentence by sentence, with a registered model.

    Args:
        source: A file with a sentence in each line, compressed or not; gs://bucket/name where a runner is given.
        target: Where to write; it appears when all is done.
        registry: Folder or gs://bucket/prefix.
        name: The model's name; may be left out where the registry holds one model.
        model: A version's number, or an alias.
        beams: Width of the search; 0: as configured.
        runner: The Beam runner that translates it as a job; none: this process.
    """
    chosen = Chosen(registry, name or None, model)
    given = Options(source, target, beams or None, None, False, None, None, 1)
    if runner == IN_PROCESS:
        translate((), chosen, given)
    else:
        translate_by_job((), chosen, given, runner, ())
