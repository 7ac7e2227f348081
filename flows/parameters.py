"""What a person fills in to start a run: a preset, and the keys that are to differ from it.

Prefect draws its form from the types of a flow's parameters and refuses what does not fit them before a run starts.
`Overrides` has every key of `RetrainConfig` with its description, choices and range, and none of them needs a value, so
the form begins empty and only what is filled in goes over the preset. What no type can say, such as that two keys do
not go together, is found by `configure` as the first act of a run.
"""

import logging
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, GetPydanticSchema, create_model, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import core_schema

from flows.settings import RetrainConfig, configure, models_in, preset_names
from pipeline.stage import log

NO_PRESET: Final = "none"
NOTHING: Final[dict[str, Any]] = {}  # filled in


class Form(BaseModel):
    """Keys of which any may be left out, or be empty, which is the same."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _only_what_is_filled_in(cls, given: Any) -> Any:
        return {key: value for key, value in given.items() if value is not None} if isinstance(given, dict) else given


def form_of(model: type[BaseModel]) -> type[Form]:
    """The form of a configuration: its keys, those of its sections too, without their defaults.

    >>> form_of(RetrainConfig).model_validate({"train": {"steps": 9, "seed": None}}).model_dump(exclude_unset=True)
    {'train': {'steps': 9}}
    """
    fields: dict[str, Any] = {name: entry(name, field) for name, field in model.model_fields.items()}
    return create_model(f"{model.__name__}Form", __base__=Form, __doc__=model.__doc__, **fields)


def entry(name: str, field: FieldInfo) -> tuple[Any, Any]:
    """A key's type and what the form says about it; the ranges are part of the type."""
    described = field.description
    annotation: Any = field.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        (section,) = models_in(annotation)
        annotation, described = form_of(section), described or section.__doc__
    for limit in field.metadata:
        annotation = Annotated[annotation, limit]
    return annotation, Field(None, title=name, description=described, json_schema_extra=without_default)


def without_default(schema: dict[str, Any]) -> None:
    """Takes the default out of a key's JSON schema: an empty field stands for what the preset says."""
    schema.pop("default", None)


def filled_in(form: Form) -> dict[str, Any]:
    """What was filled in, as plain JSON values."""
    return form.model_dump(mode="json", exclude_unset=True)


def as_form(_: Any, handler: Any) -> core_schema.CoreSchema:
    """Checks a mapping as the form of the whole configuration and gives what was filled in as a mapping again."""
    return core_schema.no_info_after_validator_function(filled_in, handler.generate_schema(form_of(RetrainConfig)))


Preset = Annotated[str, Field(json_schema_extra={"enum": [NO_PRESET, *preset_names()]})]
Overrides = Annotated[dict[str, Any], GetPydanticSchema(as_form)]


def configured(preset: str, overrides: dict[str, Any]) -> RetrainConfig:
    """The configuration that was asked for; raises `InputError` for what the form could not refuse."""
    log.setLevel(logging.INFO)  # a worker's process begins here; Prefect sends on what our logger lets through
    return configure(None if preset == NO_PRESET else preset, overrides)


def parameters_of(config: RetrainConfig) -> dict[str, Any]:
    """A configuration as the parameters of a run on another machine, which finds the same folders by their full paths.

    What is done in deployments of its own is left out: whoever gets these parameters is one.
    """
    overrides = config.model_dump(mode="json", exclude_unset=True, exclude={"deployments"})
    overrides["workspace"] = str(config.workspace.absolute())
    if "://" not in config.registry:
        overrides["registry"] = str(Path(config.registry).absolute())
    return {"preset": NO_PRESET, "overrides": overrides}
