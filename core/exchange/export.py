"""Export of a model's generator or weights as one file for other programs.

onnx          the generator as a graph, for ONNX Runtime, in any language and in browsers
torchscript   the same graph for torch alone, in Python and in C++
safetensors   the weights by name

Each file holds the facts that explain it: model, settings, specification, axes. A graph is run
beside the model on new inputs, of another batch size, before it is kept.
"""

import contextlib
import importlib
import io
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jaxtyping
import torch
from safetensors.torch import save
from torch import Tensor

from core.errors import ConfigError, UserError
from core.exchange.graph import Graph
from core.files import aside, create_folder, require_space, unwritten
from core.networks.buffers import numbers_as_constants
from core.theory.passes import Networks
from core.wording import nearest

LOG = logging.getLogger("pianoreel")

LARGEST_ERROR = 1e-3
"""The largest difference of an output from the model's at which a graph is kept."""

SUFFIXES = {".onnx": "onnx", ".pt": "torchscript", ".safetensors": "safetensors"}

TRACED, TRIED = 2, 3
"""Batch sizes of the inputs with which a graph is written, and with which it is tried."""

MOST = 4096
"""The largest batch of a graph of ONNX."""

NO_REPORTS = "ORT_DISABLE_TELEMETRY"
"""The variable that keeps ONNX Runtime, while it is loaded, from reporting its use to its makers
over the network and from keeping a file for that among temporary ones."""

Facts = Mapping[str, str]
Run = Callable[[Mapping[str, Tensor]], Sequence[Tensor]]
"""Inputs by name -> outputs."""


def format_of(path: Path, name: str | None = None) -> str:
    """Return the format of a file by its name or suffix; `ConfigError` for one that is not known.

    >>> format_of(Path("model.ONNX"))
    'onnx'
    """
    known = list(SUFFIXES.values())
    if name is not None and name not in known:
        raise ConfigError(f"models are not exported as '{name}': {nearest(name, known)}")
    if name is None and path.suffix.lower() not in SUFFIXES:
        suffixes = ", ".join(SUFFIXES)
        raise ConfigError(f"{path} says no format: end it in {suffixes}, or give --format")
    return name or SUFFIXES[path.suffix.lower()]


def require_free(path: Path, overwrite: bool) -> None:
    """Raise `ConfigError` where there is a file, unless it may be overwritten, or a folder."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: give the file to write in it")
    if path.exists() and not overwrite:
        raise _taken(path)


def _taken(path: Path) -> ConfigError:
    return ConfigError(f"{path} is there: give another --to, or --overwrite")


def write_weights(networks: Networks, facts: Facts, path: Path, overwrite: bool = True) -> None:
    """Write the weights as safetensors, with the facts as its metadata.

    Without `overwrite`, `ConfigError` where there is a file.
    """
    weights = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in networks.state_dict().items()
    }
    with _written(path, networks, overwrite) as hidden:
        hidden.write_bytes(save(weights, {"format": "pt", **facts}))


def write_graph(
    graph: Graph, facts: Facts, path: Path, name: str, overwrite: bool = True
) -> float:
    """Write a graph as onnx or torchscript; return the largest difference from the model.

    `UserError` where that is above `LARGEST_ERROR`, and where a package is missing: then nothing
    is written. Without `overwrite`, `ConfigError` where there is a file.
    """
    facts = {**facts, "axes": json.dumps(dict(graph.axes))}
    network = graph.network.eval().requires_grad_(False)
    LOG.info(
        "tracing the generator and comparing it with the model: a minute or two where it is large"
    )
    writers = {"onnx": _write_onnx, "torchscript": _write_torchscript}
    with _written(path, network, overwrite) as hidden, _tracing():
        run = writers[name](graph, facts, hidden)
        error = largest_error(graph, run)
        if not error <= LARGEST_ERROR:
            raise UserError(
                f"the graph is {error:.2g} from the model, more than {LARGEST_ERROR:g}, and was "
                "not written: export the weights, as .safetensors"
            )
    return error


@torch.no_grad()
def largest_error(graph: Graph, run: Run) -> float:
    """Return the largest difference of any number that `run` puts out from the model's."""
    inputs = graph.examples(TRIED)
    expected = _outputs(graph.network(*inputs.values()))
    pairs = zip(run(inputs), expected, strict=True)
    return max(float((one.double() - own.double()).abs().max()) for one, own in pairs)


def _outputs(output: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return output if isinstance(output, tuple) else (output,)


def _write_onnx(graph: Graph, facts: Facts, path: Path) -> Run:
    runtime = _needed("onnxruntime")
    _needed("onnxscript")
    program = program_of(graph)
    names: dict[str, Any] = {"input_names": graph.inputs, "output_names": graph.outputs}
    written = torch.onnx.export(program, (), dynamo=True, verbose=False, **names)
    assert written is not None
    written.model.metadata_props.update(facts)
    written.save(path)
    session = runtime.InferenceSession(path.read_bytes())  # which opens UTF-8 names alone

    def run(inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        outputs = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        return [torch.from_numpy(one) for one in outputs]

    return run


def program_of(graph: Graph) -> torch.export.ExportedProgram:
    """Return a graph as torch traces it: its batch is of any size up to `MOST`.

    Numbers in buffers, such as the levels that a generator has grown, are constants of it.
    """
    inputs = tuple(graph.examples(TRACED).values())
    shapes: Any = torch.export.ShapesCollection()
    for one in inputs:
        shapes[one] = {0: torch.export.Dim("batch", min=1, max=MOST)}
    graph.network(*inputs)  # reads these numbers
    with numbers_as_constants(graph.network):
        return torch.export.export(graph.network, inputs, dynamic_shapes=shapes, strict=False)


def _write_torchscript(graph: Graph, facts: Facts, path: Path) -> Run:
    inputs = graph.examples(TRACED)
    traced = torch.jit.trace(graph.network, tuple(inputs.values()), check_trace=False)
    torch.jit.save(traced, whole := io.BytesIO(), _extra_files=dict(facts))
    path.write_bytes(whole.getvalue())  # torch ends the process where the disk is full
    whole.seek(0)
    loaded = torch.jit.load(whole)
    return lambda inputs: _outputs(loaded(*inputs.values()))


@contextlib.contextmanager
def _written(path: Path, network: torch.nn.Module, overwrite: bool) -> Iterator[Path]:
    """Yield a hidden path that becomes `path`; `UserError` where nothing can be written."""
    require_free(path, overwrite)
    create_folder(path.parent)
    require_space(path.parent, 2 * sum(one.nbytes for one in network.state_dict().values()))
    try:
        with aside(path, overwrite) as hidden:
            yield hidden
    except FileExistsError as error:  # another command has written it since
        raise _taken(path) from error
    except OSError as error:
        raise unwritten(path, error) from error


def _needed(package: str) -> Any:
    """Import a package of the extra `export`; `UserError` where it is missing.

    Nothing is sent anywhere, unless the user has set `NO_REPORTS` to 0.
    """
    os.environ.setdefault(NO_REPORTS, "1")
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(
            f"graphs of ONNX need {package}: pip install 'pianoreel[export]', or write "
            "torchscript, as .pt"
        ) from error


@contextlib.contextmanager
def _tracing() -> Iterator[None]:
    """Drop what torch says of its own parts, and checks of types: traced sizes are no numbers."""
    level, unchecked = logging.root.manager.disable, jaxtyping.config.jaxtyping_disable
    logging.disable(logging.WARNING)
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", unchecked)
        logging.disable(level)
