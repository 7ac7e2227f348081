"""What Terraform itself would refuse, and rights that nobody should have, without its providers, which need a network.

    python -m tests.lint.terraform infra/terraform        a part of make check

HCL is parsed; every variable, local value and resource that is named must be declared, and every variable used; no
account has a basic role, a key, or the world as its member.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import hcl2
from hcl2.utils import SerializationOptions

PLAIN = SerializationOptions(strip_string_quotes=True, explicit_blocks=False, with_comments=False)
COMMENT = re.compile(r"^\s*(#|//).*$", re.MULTILINE)
FORBIDDEN = {
    r"roles/(owner|editor|viewer)\b": "a basic role, which holds thousands of rights",
    r"roles/[\w.]*[aA]dmin\b": "an administrator's role",
    r"\ball(Authenticated)?Users\b": "a right for everybody",
    r"\bgoogle_service_account_key\b": "a key, which can be lost; machines and pods are their account",
}


class Module(NamedTuple):
    """A folder of Terraform.

    Args:
        text: of all files, without comments.
        blocks: what is declared, by kind: `variable` -> name -> its body, `resource` -> type.name -> its body.
    """

    text: str
    blocks: dict[str, dict[str, Any]]


def read(folder: Path) -> Module:
    """Parses all files; raises `ValueError` for one that is not HCL."""
    text, blocks = "", {}
    for path in sorted(folder.glob("*.tf")):
        written = path.read_text(encoding="utf-8")
        try:
            parsed = hcl2.loads(written, serialization_options=PLAIN)
        except Exception as error:  # the parser's errors have no class in common
            raise ValueError(f"{path.name}: {str(error).splitlines()[0]}") from error
        for kind, found in parsed.items():
            declared = blocks.setdefault(kind, {})
            for block in found:
                for name, body in block.items():
                    if kind in {"resource", "data"}:
                        declared |= {f"{name}.{own}": inside for own, inside in body.items()}
                    elif isinstance(body, list):
                        declared.setdefault(name, []).extend(body)
                    else:
                        declared[name] = body
        text += COMMENT.sub("", written)
    return Module(text, blocks)


def mistakes(module: Module) -> Iterator[str]:
    """What is wrong, a line each."""
    blocks = module.blocks
    for kind, prefix in (("variable", "var"), ("locals", "local")):
        declared = blocks.get(kind, {})
        named = set()
        for name, times in Counter(re.findall(rf"\b{prefix}\.(\w+)", module.text)).items():
            own = len(re.findall(rf"\b{prefix}\.{name}\b", str(declared.get(name))))  # a variable's own validation
            named |= {name} if times > own or kind == "locals" else set()
        yield from (f"{prefix}.{name} is not declared" for name in sorted(named - {*declared}))
        yield from (f"{prefix}.{name} is not used" for name in sorted({*declared} - named))
    providers = {name for block in blocks["terraform"]["required_providers"] for name in block}
    named = {*re.findall(rf"(?<![\w./])((?:{'|'.join(providers)})_\w+\.\w+)", module.text)}
    yield from (f"{name} is not declared" for name in sorted(named - {*blocks["resource"]}))
    for name in blocks["resource"]:
        if name.partition("_")[0] not in providers:
            yield f"{name} is of no provider that is required"
    for name, body in blocks["variable"].items():
        yield from (f"var.{name} has no {key}" for key in ("description", "type", "validation") if key not in body)
    for name, body in blocks["output"].items():
        if "description" not in body:
            yield f"output {name} has no description"
    for block in blocks["terraform"]["required_providers"]:
        for name, provider in block.items():
            if name in providers and "version" not in provider:
                yield f"the version of {name} is not pinned"
    for pattern, what in FORBIDDEN.items():
        yield from (f"{match.group()} is {what}" for match in re.finditer(pattern, module.text))


def main() -> int:
    """Prints the mistakes; gives the exit code."""
    try:
        found = list(mistakes(read(Path(sys.argv[1]))))
    except ValueError as error:
        found = [str(error)]
    for line in found:
        print(f"{sys.argv[1]}: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
