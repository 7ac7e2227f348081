"""The whole configuration of a night, and how it is put together from a preset, a file and overrides."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from flows.deployments import DeploymentsConfig
from flows.night_config import NightConfig
from flows.notify.config import NotifyConfig
from flows.text_files import cause_of
from flows.who import who
from infra.cluster import ClusterConfig
from model.card import CardConfig
from model.config import DeviceConfig, EvaluateConfig, TrainConfig
from model.predecessor import within
from model.promotion import RegisterConfig
from pipeline.beam_config import BeamConfig
from pipeline.cleaning import CleanConfig
from pipeline.config import Frozen, StageConfig
from pipeline.errors import InputError
from pipeline.jobs import ShardConfig
from pipeline.manifest import Manifest
from pipeline.sources import CorpusConfig, licences_of, weights_of
from pipeline.stage import Stage
from pipeline.statistics import StatisticsConfig
from pipeline.storage import Storage, open_storage
from pipeline.vocabulary import VocabularyConfig

EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "keys below it, such as {{key: value}}",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than": "a number below {lt}",
    "less_than_equal": "at most {le}",
    "missing": "a value",
    "path_type": "a path",
    "string_pattern_mismatch": "text of the form {pattern}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "string_type": "text",
    "tuple_type": "a list, such as [{{...}}, {{...}}]",
}
SECRET = ("notify.webhook",)  # what is given there by mistake is an address that nobody else may know


class RetrainConfig(Frozen):
    """What a night makes, one section a stage, and where and with what it works."""

    task: str = Field("", pattern="^[A-Za-z0-9_-]*$", description="First part of the model's name, such as weather.")
    workspace: Path = Field(Path("workspace"), description="Folder of the stages' outputs.")
    registry: str = Field("workspace/registry", description="Folder or gs://bucket/prefix of the model versions.")
    corpus: CorpusConfig = CorpusConfig()
    clean: CleanConfig = CleanConfig()
    vocabulary: VocabularyConfig = VocabularyConfig()
    shard: ShardConfig = ShardConfig()
    statistics: StatisticsConfig = StatisticsConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    promotion: RegisterConfig = RegisterConfig()
    card: CardConfig = Field(CardConfig(), description="What people say about the model in its card.")
    beam: BeamConfig = Field(BeamConfig(), description="With what the Beam jobs run.")
    devices: DeviceConfig = Field(DeviceConfig(), description="On what the training runs.")
    cluster: ClusterConfig = Field(ClusterConfig(), description="Machines that are not this one.")
    deployments: DeploymentsConfig = Field(DeploymentsConfig(), description="Parts of the night that run elsewhere.")
    night: NightConfig = Field(NightConfig(), description="When a night begins, and when it ends.")
    notify: NotifyConfig = Field(NotifyConfig(), description="Who is told that a night failed.")

    @field_validator("workspace")
    @classmethod
    def _is_local(cls, workspace: Path) -> Path:
        if ":/" in str(workspace):
            raise PydanticCustomError("workspace", "a folder on this machine; only the registry may be in the cloud")
        return workspace.expanduser()

    @property
    def name(self) -> str:
        """The model's name: its task and its languages in the direction it translates, `weather-en-fr`."""
        languages = [self.corpus.source_language, self.corpus.target_language]
        parts = [self.task, *(reversed(languages) if self.corpus.reverse else languages)]
        return "-".join(part for part in parts if part)

    @property
    def licences(self) -> dict[str, str]:
        """Under which terms the text of each origin may be used."""
        return licences_of(self.corpus)

    @property
    def who(self) -> str:
        """Who runs this night."""
        return who()

    def lease_storage(self) -> Storage:
        """Where nights tell each other that they are at work; raises `InputError` for a place that cannot be used."""
        if self.night.lease:
            return open_storage(self.night.lease, "night.lease")
        return open_storage(str(self.workspace), "workspace")

    def run(self, stage: Stage[Any], *inputs: Manifest) -> Manifest:
        """Calls a stage with its section, its folder and the resources that it needs."""
        return stage(self.section(stage), *inputs, output_dir=self.folder(stage), **self.resources(stage))

    def find(self, stage: Stage[Any], *inputs: Manifest) -> Manifest | None:
        """The stage's finished output for this configuration, None where there is none."""
        return stage.find(self.section(stage), *inputs, output_dir=self.folder(stage), **self.resources(stage))

    def section(self, stage: Stage[Any]) -> StageConfig:
        """The part of the configuration that says what a stage computes."""
        config: StageConfig = getattr(self, stage.section)
        if not isinstance(config, TrainConfig):
            return config
        weights = weights_of(self.corpus)  # given with the sources, but it is the training that uses them
        if weights:
            config = config.model_copy(update={"weights": weights | config.weights})
        return within(config, self.registry, self.name)

    def folder(self, stage: Stage[Any]) -> Path:
        """Where a stage keeps its outputs."""
        return self.workspace / self.name / stage.name

    def resources(self, stage: Stage[Any]) -> dict[str, Any]:
        """What the stage works with: Beam, devices, the registry, what goes into a model's card."""
        offered = {"decode": self.decode} if "decode" in stage.keywords else {}
        return {name: getattr(self, name) for name in stage.resources} | offered

    def decode(self, saved_model: Path, sentences: Sequence[str], scratch: Path) -> list[str] | None:
        """Translates sentences by a Beam job; None where they are too few to be worth one.

        It is here that the models, which know no Beam, and the job that asks one of them come together.
        """
        if len(sentences) < self.beam.decode_from:
            return None
        from pipeline.translation import translate

        batch_size = self.evaluate.batch_size
        return translate(saved_model, sentences, folder=scratch, beam=self.beam, batch_size=batch_size)


def load(preset: str | None = None, file: Path | None = None, overrides: Iterable[str] = ()) -> RetrainConfig:
    """Puts a configuration together: a preset or a YAML file, or the defaults, and then the overrides.

    Args:
        preset: name of a preset that comes with the package.
        file: YAML file of the same form.
        overrides: `train.steps=500`; the value is YAML, so lists and mappings work too.

    Raises:
        InputError: an unknown preset, key or value.
    """
    return configure(preset, given(file, overrides))


def given(file: Path | None, overrides: Iterable[str]) -> dict[str, Any]:
    """What a file and overrides say, as one mapping of sections; nothing in it is looked at yet."""
    fields = parse(file_text(file), str(file)) if file is not None else {}
    for override in overrides:
        fields = merge(fields, nested(override))
    return fields


def configure(preset: str | None, fields: Mapping[str, Any]) -> RetrainConfig:
    """The configuration of a preset, or the defaults, with some fields laid over it; raises `InputError`."""
    if preset is not None:
        fields = merge(parse(preset_text(preset), f"preset {preset}"), fields)
    try:
        return RetrainConfig.model_validate(fields)
    except ValidationError as error:
        # A misspelt key is told first: that another one is missing often follows from it.
        found = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        raise explain(found[0], fields) from error


def preset_names() -> list[str]:
    """Names of the presets that come with the package."""
    folder = resources.files("flows") / "presets"
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def preset_text(name: str) -> str:
    """A preset's YAML."""
    if name not in preset_names():
        raise InputError("--preset", name, f"one of {', '.join(preset_names())}", "a file of your own goes to --config")
    return (resources.files("flows") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")


def file_text(path: Path) -> str:
    """A configuration file's YAML."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("--config", path, "a YAML file that can be read", cause_of(error)) from error


class Yaml(yaml.SafeLoader):
    """YAML in which only true and false are booleans, as of YAML 1.2: `no` is a language."""


Yaml.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Yaml.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false|True|False)$"), list("tfTF"))


def parse(text: str, origin: str) -> dict[str, Any]:
    """YAML text as a mapping."""
    try:
        fields = yaml.load(text, Yaml) or {}  # noqa: S506 -- it is a SafeLoader
    except yaml.YAMLError as error:
        raise InputError("--config", origin, "YAML", " ".join(str(error).split())) from error
    if not isinstance(fields, dict):
        raise InputError("--config", origin, "a mapping of sections", f"it holds a {type(fields).__name__}")
    return fields


def nested(override: str) -> dict[str, Any]:
    """An override as the mapping it stands for.

    >>> nested("train.model.dropout=0.1")
    {'train': {'model': {'dropout': 0.1}}}
    """
    key, separator, text = override.partition("=")
    if not separator or not all(key.split(".")):
        raise InputError("--set", override, "section.key=value, such as train.steps=500")
    try:
        value = yaml.load(text, Yaml)  # noqa: S506 -- it is a SafeLoader
    except yaml.YAMLError as error:
        raise InputError("--set", override, "a value in YAML", " ".join(str(error).split())) from error
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested mappings as one; where both have a value, the one above counts, and lists are replaced whole."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def explain(error: ErrorDetails, fields: Mapping[str, Any]) -> InputError:
    """One line about the first thing that is wrong with a configuration."""
    parameter, value = "", error["input"]
    holder: Any = fields
    *parents, last = error["loc"]
    for part in parents:
        if isinstance(holder, list | tuple) and isinstance(part, int):
            parameter, holder = f"{parameter}[{part}]", holder[part]
        elif isinstance(holder, dict) and part in holder:
            parameter, holder = f"{parameter}.{part}", holder[part]
        # any other part is the tag of a union, which is not in what was written
    if isinstance(last, int):
        parameter = f"{parameter}[{last}]"
    elif isinstance(holder, dict):  # otherwise the last part is such a tag as well
        parameter = f"{parameter}.{last}"
    parameter = parameter.lstrip(".")
    if error["type"] == "union_tag_invalid":
        return InputError(f"{parameter}.kind", error["ctx"]["tag"], f"one of {error['ctx']['expected_tags']}")
    if error["type"] == "model_type":
        return InputError(parameter, value, f"keys below it: {', '.join(sorted(keys_at(error['loc'])))}")
    if error["type"] != "extra_forbidden":
        shown = "not given" if error["type"] == "missing" or value is None else value
        shown = "(not shown)" if parameter in SECRET else shown
        return InputError(parameter, shown, expected(error))
    allowed = sorted(keys_at(error["loc"][:-1]))
    close = difflib.get_close_matches(str(last), allowed, n=1)
    cause = f"did you mean {close[0]}?" if close else "no such key"
    return InputError(parameter, value, f"one of the keys {', '.join(allowed)}", cause)


def expected(error: ErrorDetails) -> str:
    """What pydantic would have accepted, in words that need no Python."""
    given = error.get("ctx", {})
    if error["type"] in EXPECTED:
        return EXPECTED[error["type"]].format(**given)
    message = error["msg"].removeprefix("Input should be ")
    return message[:1].lower() + message[1:]


def keys_at(location: tuple[int | str, ...]) -> list[str]:
    """The keys that a configuration takes at a place, for which pydantic gives field names, indexes and union tags."""
    models: list[type[BaseModel]] = [RetrainConfig]
    for part in location:
        if isinstance(part, int):
            continue
        inside = [model.model_fields[part].annotation for model in models if part in model.model_fields]
        tagged = [
            model
            for model in models
            if "kind" in model.model_fields and part in get_args(model.model_fields["kind"].annotation)
        ]
        models = [found for annotation in inside for found in models_in(annotation)] or tagged or models
    return sorted({name for model in models for name in model.model_fields})


def keys_of(section: str) -> list[tuple[str, str]]:
    """The keys of a section with what they mean, their ranges and defaults, for people."""
    rows = []
    for name, field in models_in(RetrainConfig.model_fields[section].annotation)[0].model_fields.items():
        rows += described(f"{section}.{name}", field)
        if name == "train" and section == "corpus":
            rows += [(f"  kind: {kind}", keys) for kind, keys in source_keys(field)]
    return rows


def source_keys(field: FieldInfo) -> list[tuple[str, str]]:
    """Each kind of source with its keys, those that are needed first."""
    kinds = []
    for model in models_in(field.annotation):
        fields = {name: given for name, given in model.model_fields.items() if name != "kind"}
        needed = sorted(fields, key=lambda name: not fields[name].is_required())
        shown = (f"{name} (needed)" if fields[name].is_required() else name for name in needed)
        kinds.append((str(get_args(model.model_fields["kind"].annotation)[0]), ", ".join(shown)))
    return kinds


def described(key: str, field: FieldInfo) -> list[tuple[str, str]]:
    """A field's row, or those of the fields in it."""
    inside = models_in(field.annotation)
    if len(inside) == 1 and isinstance(field.default, BaseModel):
        return [row for name, part in inside[0].model_fields.items() for row in described(f"{key}.{name}", part)]
    limits = {type(limit).__name__.lower(): limit for limit in field.metadata}
    names = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
    ranges = [f"{word} {getattr(limits[name], name)}" for name, word in names if name in limits]
    choices = [f"one of {', '.join(map(str, get_args(field.annotation)))}"] if is_choice(field.annotation) else []
    default = "none" if field.default in ("", (), {}) else field.default
    return [(key, f"{field.description} ({', '.join([f'default {default}', *ranges, *choices])})")]


def is_choice(annotation: Any) -> bool:
    """Whether a field takes one of some words."""
    return get_origin(annotation) is Literal


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field's annotation mentions, `tuple[TextSource | WeatherSource, ...]` both of its two."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in models_in(part)]
