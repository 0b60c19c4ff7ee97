"""A trained network as a folder that others can use, laid out as a repository of the Hugging Face hub."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from gannb import __version__
from gannb.batch import whole_folder
from gannb.config.yaml_files import dump_yaml
from gannb.figures.grids import image_grid
from gannb.figures.points import clouds
from gannb.metrics.score import Scores
from gannb.random import generator
from gannb.runs import files, interventions
from gannb.tables import cell_text
from gannb.training.trained import Network, Trained

LOADER = '''"""Loads the network; needs torch, safetensors and gannb {version}."""

import json
from pathlib import Path

from safetensors.torch import load_file
from {module} import {name}

HERE = Path(__file__).parent


def load():
    """The network with its weights, in eval mode."""
    network = {name}(**json.loads((HERE / "config.json").read_text())["arguments"])
    network.load_state_dict(load_file(HERE / "model.safetensors"))
    return network.eval()
'''
CARD = """---
{head}---

# {title}

The {which} of the run `{run}` of gannb's experiment `{experiment}`, after {step} steps.
{picture}
## Use

```python
import torch
from load import load

network = load()
output = network({call})
```

`load.py` builds the network with gannb {version} ({builder}), without its trainer. {onnx}

## Data

`{data}`{digest}. Whether the weights may be shared depends on the licence of the data, which gannb does not know.

## Scores

{scores}

## Recipe

{recipe}
"""


def write(trained: Trained, out: Path) -> str:
    """Write weights, configuration, loader, samples, ONNX and the model card; returns why there is no ONNX, or "".

    Args:
        trained: the run.
        out: the folder, which is new or to be replaced.
    """
    network = trained.network()
    origin = {"run": trained.folder.name, "experiment": trained.params.name, "step": trained.step, "raw": trained.raw}
    module, name = network.builder.__module__, network.builder.__qualname__
    with whole_folder.writing(out, origin) as folder:
        weights = {key: tensor.contiguous() for key, tensor in network.module.state_dict().items()}
        files.write_bytes(folder / "model.safetensors", safetensors.torch.save(weights, {"format": "pt"}))
        config = {"builder": f"{module}.{name}", "arguments": dict(network.arguments), **network.notes}
        files.write_json(folder / "config.json", config)
        files.write_text(folder / "load.py", LOADER.format(version=__version__, module=module, name=name))
        reason = _onnx(network, folder / "model.onnx")
        pictured = _picture(trained, network, folder / "samples.png")
        files.write_text(folder / "README.md", _card(trained, network, reason, pictured))
    return reason


@torch.no_grad()
def _picture(trained: Trained, network: Network, path: Path) -> bool:
    """Write a picture of samples where the network draws them from latents alone."""
    if trained.params.generates not in ("images", "points"):
        return False
    samples = network.module(*network.inputs(1000 if trained.params.generates == "points" else 32, generator("card")))
    drawn = image_grid(samples, 8) if samples.ndim == 4 else clouds({"generated": samples}, samples, size=320)
    drawn.save(path)
    return True


def _onnx(network: Network, path: Path) -> str:
    """Write the network as ONNX, for any batch size; returns why that is not possible, or ""."""
    if network.not_traced:
        return network.not_traced
    if missing := [name for name in ("onnx", "onnxscript") if find_spec(name) is None]:
        return f"{' and '.join(missing)} not installed; pip install onnx onnxscript"
    inputs = network.inputs(3, generator("onnx"))
    batch = torch.export.Dim("batch")
    shapes = tuple({0: batch} if tensor.ndim else None for tensor in inputs)
    try:
        with warnings.catch_warnings(action="ignore"):
            torch.onnx.export(
                network.module, inputs, path, dynamo=True, external_data=False, dynamic_shapes=shapes, verbose=False
            )
        import onnx

        if not onnx.load(path).graph.output[0].type.tensor_type.shape.dim[0].dim_param:
            raise ValueError("it computes for one batch size alone")
    except Exception as error:  # whatever torch's exporter does not know
        path.unlink(missing_ok=True)
        cause = error.__cause__ or error
        return f"torch's exporter does not take it ({f'{type(cause).__name__}: {cause}'.splitlines()[0][:200]})"
    return ""


def _card(trained: Trained, network: Network, reason: str, pictured: bool) -> str:
    """The model card: Markdown under a YAML head, as the hub reads it."""
    p, builder = trained.params, network.builder
    kind = getattr(p, "network", p.generates)
    head: dict[str, Any] = {"library_name": "gannb", "tags": ["gannb", "gan", p.name, kind]}
    if p.generates == "images" and not getattr(p, "conditional", False):
        head["pipeline_tag"] = "unconditional-image-generation"
    log, summary = trained.folder / "interventions.yaml", trained.folder / "summary.json"
    digest = interventions.read(log)[0]["data"] if log.is_file() else ""
    scores = Scores.from_dict(json.loads(summary.read_text(encoding="utf-8"))) if summary.is_file() else Scores([])
    inputs = network.inputs(1, generator("card"))
    return CARD.format(
        head=dump_yaml(head),
        title=f"{p.name}: {kind}",
        which="network" if trained.raw else "network (the average of its weights, where one was kept)",
        run=trained.folder.name,
        experiment=p.name,
        step=trained.step,
        picture="\n![Samples](samples.png)\n" if pictured else "",
        call=", ".join(f"torch.zeros({[*x.shape]}, dtype={x.dtype})" for x in inputs),
        version=__version__,
        builder=f"`{builder.__module__}.{builder.__qualname__}`",
        onnx=f"There is no ONNX file: {reason}." if reason else "`model.onnx` takes any batch size.",
        data=_public(p, "data") if "data" in p.settings() else getattr(p, "toy", "synthetic"),
        digest=f", SHA-256 {digest}" if digest else "",
        scores=_table(
            ("score", "value", "floor", "protocol"),
            ((s.name, s.text, s.floor, s.reason or _facts(s.protocol)) for s in scores.values()),
        )
        if scores
        else "None were measured: the run has not finished.",
        recipe=_table(
            ("parameter", "value", "meaning"),
            ((name, f"`{_public(p, name)}`", p.declarations()[name].doc) for name in p.settings()),
        ),
    )


def _facts(protocol: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {cell_text(value)}" for name, value in protocol.items())


def _public(p: Any, name: str) -> Any:
    """A parameter's value; of a path only the last part, because others have no such folders."""
    value = getattr(p, name)
    path = isinstance(value, str) and (Path(value).is_absolute() or (p.declarations()[name].source and "/" in value))
    return Path(value).name if path else value


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *([cell_text(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
