"""What Keras computes with where nobody says otherwise, and the variables that decide numbers behind everybody's back.

Called when `fer_exp` is imported, by the check of a command line, and before a model is made. Keras reads a file in the
home folder, which other programs have written, and variables that are meant for other programs: with float16 or another
epsilon there a run would have other numbers than its configuration says. So its state is set here, and recorded.
"""

import json
import os
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

BACKEND = "KERAS_BACKEND"
FLOATX, EPSILON, IMAGE_DATA_FORMAT = "float32", 1e-7, "channels_last"
_OURS = "tensorflow"
_CUTS = {"KERAS_MAX_EPOCHS": "epochs=", "KERAS_MAX_STEPS_PER_EPOCH": "limit_batches="}
# How variables begin that numbers depend on, or how fast they come. Not all of `TF_`: Terraform has its tokens there.
_DECIDE = (
    *("TF_ENABLE_", "TF_DISABLE_", "TF_USE_", "TF_XLA_", "TF_JIT_", "TF_CUDNN_", "TF_DETERMINISTIC_", "TF_AUTO"),
    *("TF_MATMUL_", "TF_FP16_", "TF_F16", "TF_ONEDNN_", "TF_MKL_", "TF_CPU_", "TF_GPU_", "TF_NUM_", "TF_SYNC_"),
    *("TF_OVERRIDE_GLOBAL_THREADPOOL", "XLA_", "NVIDIA_TF32_", "CUBLAS_", "CUDNN_", "ONEDNN_", "DNNL_"),
    *("MKL_", "OMP_", "KMP_", "OPENBLAS_", "KERAS_", "PYTHONHASHSEED"),
)
# Of these, what says where things are, has a tag of its own, or is set by libraries while they are imported.
_SILENT = (
    *("TF_ENABLE_ONEDNN_OPTS", "TF_GPU_ALLOCATOR"),
    *("KERAS_HOME", BACKEND, "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"),
)


def install(environment: MutableMapping[str, str]) -> None:
    """Makes Keras compute with TensorFlow, and with the state above from its import on.

    Args:
        environment: `os.environ`; a backend that stands there is left to `problems`.
    """
    if not environment.get(BACKEND):
        environment[BACKEND] = _OURS
    if "keras" not in sys.modules:
        sys.meta_path.insert(0, _Finder())


def settle() -> None:
    """Sets the state of Keras, which is imported if it was not; a program around this one may have changed it."""
    import keras

    keras.config.set_floatx(FLOATX)
    keras.config.set_epsilon(EPSILON)
    keras.config.set_image_data_format(IMAGE_DATA_FORMAT)


def described() -> str:
    """Returns what Keras computes with, for the record."""
    import keras

    state = keras.config
    return f"{state.backend()}, {state.floatx()}, epsilon {state.epsilon():g}, {state.image_data_format()}"


def decisive(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that numbers may depend on and that somebody has set, by name."""
    return {
        name: value
        for name, value in sorted(environment.items())
        if name.startswith(_DECIDE) and not name.startswith(_SILENT)
    }


def told(environment: Mapping[str, str]) -> str:
    """Returns the same in one line, `none` if there are none."""
    return " ".join(f"{name}={value}" for name, value in decisive(environment).items()) or "none"


def problems(environment: Mapping[str, str]) -> list[str]:
    """Returns what Keras would not do with, for people.

    Args:
        environment: Of the process.
    """
    found = []
    backend = environment.get(BACKEND) or _OURS
    if backend != _OURS:
        found.append(
            f"The environment variable {BACKEND} must be {_OURS}, which everything here is built on, or unset. "
            f"Received: {backend!r}. For one command: env -u {BACKEND} python -m fer_exp ..."
        )
    for name, instead in _CUTS.items():
        if name in environment:
            found.append(
                f"The environment variable {name} must not be set: it ends each training early, and no record would "
                f"say so. Received: {environment[name]!r}. Use {instead}"
            )
    return [*found, *_problems_of_file(_file(environment))]


def _file(environment: Mapping[str, str]) -> Path:
    """Returns the file that Keras reads when it is imported."""
    if home := environment.get("KERAS_HOME"):
        return Path(home).expanduser() / "keras.json"
    base = Path.home()
    return (base if os.access(base, os.W_OK) else Path("/tmp")) / ".keras" / "keras.json"  # noqa: S108 (Keras' choice)


def _problems_of_file(file: Path) -> list[str]:
    """Returns what Keras would refuse of its file with a stack trace; what it takes is set otherwise afterwards."""
    rules = {
        "floatx": ("float16, float32 or float64", lambda value: value in ("float16", "float32", "float64")),
        "epsilon": ("a number such as 1e-07", lambda value: isinstance(value, float)),
        "image_data_format": (
            "channels_last or channels_first",
            lambda value: value in ("channels_last", "channels_first"),
        ),
    }
    remedy = f"Mend {file} or remove it: what it says is not used here."
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except OSError as error:
        return [f"{file} must be readable, because Keras reads it: {error.strerror or error}. {remedy}"]
    except ValueError:
        return []  # Keras takes no notice of what is no JSON
    if not isinstance(values, dict):
        return [f"{file} must hold names and values. Received: {str(values)[:80]}. {remedy}"]
    return [
        f"`{key}` must be {rule}, or Keras cannot be imported. Received: {values[key]!r} in {file}. {remedy}"
        for key, (rule, holds) in rules.items()
        if key in values and not holds(values[key])
    ]


class _Finder(MetaPathFinder):
    """Finds Keras as it would be found without it; TensorFlow looks where it is long before anybody imports it."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        try:
            spec = find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)
        return spec


class _Loader(Loader):
    """Sets the state when everything else of the import is done."""

    def __init__(self, loader: Loader, finder: _Finder) -> None:
        self._loader, self._finder = loader, finder

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)  # what else loaders are asked for, such as resources

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)  # it has nothing more to find
        self._loader.exec_module(module)
        settle()
