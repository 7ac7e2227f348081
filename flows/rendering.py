"""`nightshift render`: a training as other machines are told to do it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from flows.command_pages import ManPage, configured

if TYPE_CHECKING:
    from flows.settings import RetrainConfig


class RenderPage(ManPage):
    """The help of the command, with the keys of its section."""

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the keys."""
        from flows.settings import keys_of

        with formatter.section("Keys for --set"):
            formatter.write_dl(keys_of("cluster"))


@click.command(cls=RenderPage)
@click.argument("place", type=click.Choice(["kubernetes", "vertex"]))
@configured
@click.option("--image", help="The trainer's image, with its tag or digest.")
@click.option("--workers", type=click.IntRange(1, 64), help="Machines that train one model together.")
@click.option("--output", "target", metavar="FILE", help="Where to write; there when all is done.")
def render(
    place: str,
    preset: str | None,
    file: Path | None,
    overrides: tuple[str, ...],
    *,
    image: str | None,
    workers: int | None,
    target: str | None,
) -> None:
    r"""Write a training as a cluster is told to do it.

        nightshift render kubernetes --preset weather --image registry.example.com/trainer:0.1.0 --workers 4 \
          | kubectl apply --filename -
        nightshift render vertex --preset weather --set cluster.vertex.bucket=models \
          --set cluster.vertex.service_account=trainer@project.iam.gserviceaccount.com \
          --set cluster.gpus=1 --image ... --output job.yaml
        gcloud ai custom-jobs create --region europe-west4 --display-name weather --config job.yaml

    Nothing is started by it. What comes out is a Service, a NetworkPolicy and an Indexed Job for Kubernetes, and a
    CustomJobSpec for Vertex AI, as YAML with the whole configuration in it. The machines see the workspace as a volume
    or a bucket, and learn from what `shard` made there, or from cluster.shards. The first one writes the model.
    """
    from flows.settings import load
    from flows.text_files import write_lines

    for key, value in (("image", image), ("workers", workers)):
        if value:
            overrides += (f"cluster.{key}={value}",)
    text = as_yaml(objects(place, load(preset, file, overrides)))
    if target:
        write_lines(Path(target), text.splitlines())
    else:
        click.echo(text, nl=False)


def objects(place: str, config: "RetrainConfig") -> list[dict[str, Any]]:
    """What the place is told."""
    from infra import kubernetes, vertex
    from infra.order import order

    if place == "kubernetes":
        return kubernetes.render(order(config, kubernetes.WORKSPACE))
    return [vertex.render(order(config, vertex.workspace_of(config.cluster.vertex)))]


class Dumper(yaml.SafeDumper):
    """YAML that repeats an object instead of pointing to it."""

    def ignore_aliases(self, data: Any) -> bool:
        """No object is a pointer."""
        return True


def as_yaml(documents: list[dict[str, Any]]) -> str:
    """The documents, in the order of their keys."""
    return yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
