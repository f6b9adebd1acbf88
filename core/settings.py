"""Settings: which world a command works on, and every value with the place that it came from.

flag > environment (`TWIT_…`) > ./twit.toml > ~/.config/twit/twit.toml > built-in. Unknown keys are refused with file and line.
Never reads a secret: that is `core/secret_settings.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from .errors import Invalid, NotFound
from .limits import ENV_PREFIX, Limits
from .settings_file import Setting, read_file
from .settings_keys import (
    BUILT_IN,
    CONTEXT_KEYS,
    CONTEXT_NAME,
    KEYS_OF_KIND,
    LIMIT_NAMES,
    OF_CHOSEN,
    PATH_KEYS,
    SECRETS,
    TOP_KEYS,
    VARIABLES,
    Shape,
    number,
)

Layer = dict[str, Setting]


class ContextSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One world by name. `values` are its keys with their places; of secrets, only the file or command that gives them.

    `folder` is where its runs are recorded: its data directory, where it has one."""

    name: str
    kind: str
    source: str
    values: dict[str, Setting]
    folder: Path
    data: Path | None = None
    ring: Path | None = None
    protected: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was set, strongest layer first, and what follows from it."""

    layers: tuple[Layer, ...]
    contexts: dict[str, ContextSettings]
    limits: Limits
    context_name: str
    output: str
    color: str
    rate_limits: bool
    host: str
    port: int
    user_file: Path
    local_file: Path

    @property
    def context(self) -> ContextSettings:
        """The chosen one. Raises `Invalid` where no context has that name."""
        return self.named(self.context_name, self.explain("default_context")[0].source)

    def named(self, name: str, source: str = "") -> ContextSettings:
        """The context of that name. Raises `Invalid` where there is none; `source` says who asked for it."""
        if name not in self.contexts:
            what = f"no context named {name!r}" + (f" (from {source})" if source else "")
            known = f"Known: {', '.join(sorted(self.contexts))}."
            raise Invalid(what, field="context", code="NO_CONTEXT", meaning=known, try_="twit context list")
        return self.contexts[name]

    def explain(self, key: str) -> list[Setting]:
        """Every layer that sets `key`, strongest first; the first one counts. Raises `NotFound` for a key that nobody set, `Invalid` for one
        that there is not.

        `key` may also be a variable (`TWIT_DATA`), or a key of the chosen context alone (`data`).
        """
        whole = self.whole_key(key)
        found = [layer[whole] for layer in self.layers if whole in layer]
        if not found:
            if VARIABLES.get(key, key) in CONTEXT_KEYS:
                what = f"{key} is not set in context {self.context_name}"
                raise NotFound(what, code="NOT_SET", meaning="docs/settings.md says what holds then", try_="twit context show")
            what = f"no setting named {key!r}"
            raise Invalid(what, field="KEY", code="NO_SETTING", try_="twit config list")
        return found

    def whole_key(self, key: str) -> str:
        """The dotted key that `key` is short for."""
        if key.startswith(ENV_PREFIX):
            return f"limits.{key.removeprefix(ENV_PREFIX).lower()}"
        key = VARIABLES.get(key, key)
        for whole in (f"contexts.{self.context_name}.{key}", f"limits.{key}"):
            if any(whole in layer for layer in self.layers):
                return whole
        return "default_context" if key == "context" else key

    def keys(self) -> list[str]:
        """All keys that have a value."""
        return sorted({key for layer in self.layers for key in layer})


def load(environ: Mapping[str, str], folder: Path, flags: Mapping[str, object] | None = None) -> Settings:
    """Return the settings that hold in `folder`. `flags` has those of context, output, color, host and port that were given.

    Raises `Invalid` for anything unknown or of the wrong shape, with file and line.
    """
    user_file, local_file = _xdg(environ, "XDG_CONFIG_HOME", ".config") / "twit" / "twit.toml", folder / "twit.toml"
    local, user = _of_file(local_file, "./twit.toml", environ), _of_file(user_file, _short(user_file, environ), environ)
    _refuse_commands(local)
    environment = _of_environment(environ, folder)
    layers = [_of_flags(flags or {}, folder, environ), environment, local, user, _built_in(environ)]
    _place_chosen(environment, layers)
    return Settings(
        layers=tuple(layers),
        contexts=_contexts(layers, environ),
        limits=_limits(layers),
        context_name=str(_first(layers, "default_context")),
        output=str(_first(layers, "output")),
        color=str(_first(layers, "color")),
        rate_limits=bool(_first(layers, "rate_limits")),
        host=str(_first(layers, "host")),
        port=number(_first(layers, "port")),
        user_file=user_file,
        local_file=local_file,
    )


def misspelt_variables(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """(name, what was likely meant) of `TWIT_…` variables that look like a misspelt setting."""
    import difflib  # noqa: PLC0415 - only where something is odd

    odd = [name for name in sorted(environ) if name.startswith("TWIT_") and name not in VARIABLES]
    close = [(name, difflib.get_close_matches(name, VARIABLES, n=1, cutoff=0.85)) for name in odd]
    return [(name, match[0]) for name, match in close if match]


def _of_file(path: Path, shown: str, environ: Mapping[str, str]) -> Layer:
    return {key: _shaped(key, one, path.parent, environ) for key, one in read_file(path, shown).items()}


def _of_environment(environ: Mapping[str, str], folder: Path) -> Layer:
    layer: Layer = {}
    for name, value in environ.items():
        key = f"limits.{name.removeprefix(ENV_PREFIX).lower()}" if name.startswith(ENV_PREFIX) else VARIABLES.get(name, "")
        if key and value:
            layer[key] = _shaped(f"contexts.local.{key}" if key in OF_CHOSEN else key, Setting(value, name), folder, environ)
    return layer


def _place_chosen(environment: Layer, layers: Sequence[Layer]) -> None:
    """`TWIT_DATA` and its like are of the chosen context, where that is one that has such a key."""
    chosen = _first(layers, "default_context")
    kinds = [layer[f"contexts.{chosen}.kind"].value for layer in layers if f"contexts.{chosen}.kind" in layer]
    for key in OF_CHOSEN:
        given = environment.pop(key, None)
        if given and kinds and key in KEYS_OF_KIND[str(kinds[0])]:
            environment[f"contexts.{chosen}.{key}"] = given


def _of_flags(flags: Mapping[str, object], folder: Path, environ: Mapping[str, str]) -> Layer:
    given = {("default_context" if name == "context" else name): (name, value) for name, value in flags.items()}
    return {
        key: _shaped(key, Setting(value, f"--{name}"), folder, environ)
        for key, (name, value) in given.items()
        if value is not None
    }


def _built_in(environ: Mapping[str, str]) -> Layer:
    values = {**BUILT_IN, "contexts.local.data": str(_data_home(environ))}
    values.update({f"limits.{name}": value for name, value in msgspec.structs.asdict(Limits()).items()})
    return {key: Setting(value, "built-in") for key, value in values.items()}


def _shaped(key: str, one: Setting, folder: Path, environ: Mapping[str, str]) -> Setting:
    """The setting with its value as it is meant; paths are whole, seen from where they were written."""
    shape = _shape_of(key, one.source)
    try:
        value = shape(one.value)
    except ValueError as error:
        what = f"{one.source}: {key} must be {error}, not {one.value!r}"
        raise Invalid(what, field=key, code="SETTINGS") from error
    if key.rpartition(".")[2] in PATH_KEYS:
        value = str(folder / _expanded(str(value), environ))
    return Setting(value, one.source)


def _shape_of(key: str, source: str) -> Shape:
    first, _, rest = key.partition(".")
    name, _, last = rest.partition(".")
    if key in TOP_KEYS:
        return TOP_KEYS[key]
    if first == "limits" and rest in LIMIT_NAMES:
        return number
    if first == "contexts" and CONTEXT_NAME.fullmatch(name) and last in CONTEXT_KEYS:
        return CONTEXT_KEYS[last]
    if first == "contexts" and last in SECRETS:
        _refuse(f"{source}: {key}: a secret does not belong in a settings file", key, f"{last}_file = …  or  {last}_command = …")
    return _refuse(f"{source}: unknown setting {key}", key, "twit config list")


def _refuse(what: str, key: str, try_: str) -> NoReturn:
    raise Invalid(what, field=key, code="SETTINGS", try_=try_)


def _refuse_commands(local: Layer) -> None:
    """A folder that one merely stands in may not name commands to be run."""
    for key, one in local.items():
        if key.endswith("_command"):
            _refuse(f"{one.source}: {key}: commands are taken from the file in your home only", key, "move it there, or use …_file")


def _contexts(layers: Sequence[Layer], environ: Mapping[str, str]) -> dict[str, ContextSettings]:
    merged: dict[str, dict[str, Setting]] = {}
    for layer in layers:
        for key, one in layer.items():
            first, _, rest = key.partition(".")
            if first == "contexts":
                name, _, last = rest.partition(".")
                merged.setdefault(name, {}).setdefault(last, one)
    return {name: _context(name, merged[name], environ) for name in sorted(merged)}


def _context(name: str, values: dict[str, Setting], environ: Mapping[str, str]) -> ContextSettings:
    where = next(iter(values.values())).source
    if "kind" not in values:
        _refuse(f"{where}: context {name} has no kind", f"contexts.{name}.kind", 'kind = "embedded"')
    kind = values["kind"]
    for key, one in values.items():
        if key not in KEYS_OF_KIND[str(kind.value)]:
            _refuse(f"{one.source}: a context of kind {kind.value} has no {key}", f"contexts.{name}.{key}", "twit context init --help")
    data = Path(str(values["data"].value)) if "data" in values else None
    folder = data or _data_home(environ).with_name(f"twit-{name}")
    if kind.value == "embedded":
        data = folder
    ring = Path(str(values["ring"].value)) if "ring" in values else None
    protected = "protected" in values and bool(values["protected"].value)
    return ContextSettings(
        name=name, kind=str(kind.value), source=kind.source, values=values, folder=folder, data=data, ring=ring, protected=protected
    )


def _limits(layers: Sequence[Layer]) -> Limits:
    try:
        return Limits(**{name: number(_first(layers, f"limits.{name}")) for name in sorted(LIMIT_NAMES)})
    except Invalid as error:
        places = [layer[f"limits.{error.field}"].source for layer in layers if f"limits.{error.field}" in layer]
        what = f"{places[0]}: {error}" if places[0] != "built-in" else str(error)
        try_ = f"set {ENV_PREFIX}{error.field.upper()} as well" if places[0] == "built-in" else ""
        raise Invalid(what, field=error.field, code="SETTINGS", meaning=error.meaning, try_=try_) from None


def _first(layers: Sequence[Layer], key: str) -> object:
    return next(layer[key].value for layer in layers if key in layer)


def _data_home(environ: Mapping[str, str]) -> Path:
    return _xdg(environ, "XDG_DATA_HOME", ".local/share") / "twit"


def _xdg(environ: Mapping[str, str], variable: str, otherwise: str) -> Path:
    """By the XDG rules a relative path in the variable counts as unset."""
    given = environ.get(variable, "")
    return Path(given) if given.startswith("/") else Path(environ.get("HOME", "/")) / otherwise


def _expanded(path: str, environ: Mapping[str, str]) -> str:
    return environ.get("HOME", "~") + path[1:] if path == "~" or path.startswith("~/") else path


def _short(path: Path, environ: Mapping[str, str]) -> str:
    home = environ.get("HOME", "")
    return f"~{str(path)[len(home) :]}" if home and str(path).startswith(f"{home}/") else str(path)
