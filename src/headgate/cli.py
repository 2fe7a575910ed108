"""The command line: parses arguments, nothing else; what a command needs is imported inside it."""

from __future__ import annotations

import os
import re
import sys
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, get_args

import click

from headgate.core.errors import Origin
from headgate.core.record import Ending

if TYPE_CHECKING:
    from headgate.config.load import Loaded
    from headgate.config.problems import ConfigError

FAILED, BAD_USE, INTERRUPTED = 1, 2, 130
SINCE = re.compile(r"(\d{1,6})([smhdw])\Z")
STATUS = re.compile(r"[1-5](\d\d|[xX]{2})\Z", re.ASCII)
PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*\Z")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)

config_option = click.option(
    "--config", "-c", type=FILE, help="Configuration file. Default: $HEADGATE_CONFIG, ./headgate.yaml, else discovery."
)
data_dir_option = click.option("--data-dir", type=FOLDER, help="Data directory. Default: the configuration's.")


def main() -> None:
    """Run the command line; exit codes are those of docs/reference/cli.md."""
    sys.excepthook = _one_line
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("headgate: interrupted", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has had enough (`headgate records | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    sys.exit(code if isinstance(code, int) else 0)


def _one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An unhandled failure as one line. Its text may hold a secret, so only an OSError's is shown."""
    if "--debug" in sys.argv[1:]:
        traceback.print_exception(kind, error, trace)
        return
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"headgate: {where}{error.strerror}", err=True)
        return
    frames = traceback.extract_tb(trace)
    place = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    click.echo(f"headgate: internal error ({kind.__name__}{place}); `headgate --debug …` shows all of it", err=True)


class Refused(click.ClickException):
    """The configuration cannot be used: every problem on a line of its own."""

    exit_code = BAD_USE

    def __init__(self, error: ConfigError) -> None:
        super().__init__(str(error))
        self.count = len(error.problems)

    def show(self, file: Any = None) -> None:
        click.echo(self.message, err=True)
        problems = "1 problem" if self.count == 1 else f"{self.count} problems"
        click.echo(f"headgate: {problems} in the configuration", err=True)


def _version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.invoke(version)
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
@click.option("--debug", is_flag=True, help="Show the whole traceback of an internal error.")
def cli(debug: bool) -> None:
    """Headgate: one server between applications and every model provider."""


@cli.command()
@config_option
@click.option("--host", help="Address to listen on, instead of the configuration's.")
@click.option("--port", type=int, help="Port to listen on, instead of the configuration's.")
@click.option("--workers", type=int, help="Processes that serve requests, instead of the configuration's.")
@click.option("--data-dir", type=FOLDER, help="Data directory, instead of the configuration's.")
def serve(
    config: Path | None, host: str | None, port: int | None, workers: int | None, data_dir: Path | None
) -> int | None:
    """Start the gateway."""
    folder = str(data_dir.absolute()) if data_dir else None
    given = {"server.host": host, "server.port": port, "server.workers": workers, "data_dir": folder}
    loaded = _load(config, {path: value for path, value in given.items() if value is not None})
    from headgate.config.problems import ConfigError
    from headgate.server.main import serve as run

    try:
        return run(loaded)
    except ConfigError as error:
        raise Refused(error) from error


@cli.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(config: Path | None, as_json: bool) -> int:
    """Say what is wrong with the configuration, and with this machine for it; exit code 2 if anything is.

    A warning (as of a file without providers, with which every request is refused) leaves the exit code 0.
    """
    if as_json:
        return _check_json(config)
    loaded = _load(config, {}, here=True)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    for reason in loaded.reasons:
        click.echo(reason)
    found = loaded.config
    parts = (("provider", found.providers), ("model", found.models), ("key", found.keys))
    counts = ", ".join(f"{len(part)} {name}{'s' * (len(part) != 1)}" for name, part in parts)
    count = len(loaded.warnings)
    warned = f", but with {count} warning{'s' * (count != 1)}" if count else ""
    click.echo(f"{loaded.path or 'no file'}: in order{warned} ({counts})")
    return 0


@cli.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def export(config: Path | None, as_json: bool) -> None:
    """Print the configuration as plain YAML that another instance reads, without a secret.

    What has to be there besides (variables, files) is said on standard error.
    """
    from headgate.config.export import export as exported

    found = exported(_load(config, {}), os.environ)
    click.echo(found.json() if as_json else found.yaml(), nl=False)
    for name in found.variables:
        why = " (a secret that stands in the configuration itself)" if name in found.named else ""
        click.echo(f"set there: {name}{why}", err=True)
    for name in found.files:
        click.echo(f"take along: {name}", err=True)


def _check_json(config: Path | None) -> int:
    import json

    from headgate.config.load import load
    from headgate.config.problems import ConfigError

    answer: dict[str, Any] = {"ok": True, "file": None, "problems": [], "warnings": [], "reasons": []}
    try:
        loaded = load(config, os.environ, here=True)
    except ConfigError as error:
        names = ("file", "line", "column", "path", "message", "hint")
        answer["problems"] = [{name: getattr(problem, name) for name in names} for problem in error.problems]
        answer["ok"] = False
    else:
        answer["file"] = str(loaded.path) if loaded.path else None
        answer["warnings"], answer["reasons"] = list(loaded.warnings), list(loaded.reasons)
    click.echo(json.dumps(answer, indent=2))
    return 0 if answer["ok"] else BAD_USE


def _load(path: Path | None, overrides: dict[str, Any], *, here: bool = False) -> Loaded:
    from headgate.config.load import load
    from headgate.config.problems import ConfigError

    try:
        return load(path, os.environ, overrides, here=here)
    except ConfigError as error:
        raise Refused(error) from error


def _folder(config: Path | None, data_dir: Path | None) -> Path:
    if data_dir is not None:
        return data_dir
    from headgate.config.load import data_dir as configured
    from headgate.config.problems import ConfigError

    try:
        return configured(config, os.environ)
    except ConfigError as error:
        raise Refused(error) from error


@cli.command()
def version() -> None:
    """Print the version."""
    from headgate import __version__

    click.echo(f"headgate {__version__}")


def moment(text: str, now: datetime) -> datetime:
    """`10m` ago (s, m, h, d, w), or a time as ISO 8601 writes it. Raises ValueError."""
    match = SINCE.match(text)
    if match:
        return now - timedelta(**{UNITS[match[2]]: int(match[1])})
    return datetime.fromisoformat(text)


def _status(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not STATUS.match(value):
        raise click.BadParameter(f"{value!r} is neither a status (100 to 599) nor a class of them (1xx to 5xx)")
    return value


def _moment(context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        return moment(value, datetime.now(UTC))
    except (ValueError, OverflowError) as error:
        message = f"{value!r} is neither an age (45s, 10m, 2h, 3d, 1w) nor a time (2026-01-01T12:00)"
        raise click.BadParameter(message) from error


@cli.command()
@click.option("--follow", "-f", is_flag=True, help="Print new records as they come.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one record per line.")
@click.option("--id", "id_", help="Only the request of this id.")
@click.option("--key", help="Only requests of the key of this name.")
@click.option("--model", help="Only requests for this model.")
@click.option(
    "--target", help="Only requests answered by this target, or given up at it: provider/model, or a provider's name."
)
@click.option("--status", callback=_status, help="Only replies of this HTTP status: 429, or 5xx.")
@click.option("--ending", type=click.Choice(get_args(Ending)), help="Only requests that ended so.")
@click.option(
    "--error",
    metavar="CODE",
    help="Only requests that ended with this error: provider_timeout, or provider:provider_timeout.",
)
@click.option(
    "--origin", type=click.Choice(get_args(Origin)), help="Only requests whose error is the gateway's, or a provider's."
)
@click.option("--client", metavar="ADDRESS", help="Only requests from this IP address.")
@click.option(
    "--since",
    metavar="TIME",
    callback=_moment,
    help="Only requests that came in at this time or later: 10m ago (s, m, h, d, w), or 2026-01-01T12:00, which is "
    "local time; 2026-01-01T12:00Z is UTC.",
)
@click.option("--until", metavar="TIME", callback=_moment, help="Only requests that came in before; as in --since.")
@click.option("--limit", "-n", type=click.IntRange(min=1), help="Only the latest so many.")
@config_option
@data_dir_option
def records(config: Path | None, data_dir: Path | None, id_: str | None, **wanted: Any) -> None:
    """Print the records of requests."""
    from headgate.journal.show import show

    show(_folder(config, data_dir), id=id_, **wanted)


@cli.command()
@click.argument("id_", metavar="REQUEST-ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_option
@data_dir_option
def explain(config: Path | None, data_dir: Path | None, id_: str, as_json: bool) -> None:
    """Say why a request went where it went: rule, policy, candidates, what was left out and why, attempts."""
    from headgate.journal.explain import explain as told

    told(_folder(config, data_dir), id_, as_json=as_json)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all that the gateway tells.")
@click.option("--url", help="Where the gateway is, such as https://gateway.example. Default: as configured, here.")
@config_option
def targets(config: Path | None, as_json: bool, url: str | None) -> None:
    """Show how the targets of a running gateway are: circuits, load, times, limits, keys; and what is wrong with them.

    It is asked with the admin key, which has to be in HEADGATE_ADMIN_KEY.
    """
    from headgate.server.targets import address, show

    show(url if url is not None else address(_load(config, {}).config), os.environ, as_json=as_json)


class ListByDefault(click.Group):
    """`headgate models --json` is `headgate models list --json`; the same of providers."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        plain = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if plain else args)


@cli.group(cls=ListByDefault)
def models() -> None:
    """What is known of models: prices, limits, abilities. Without a command: list them."""


configured_option = click.option(
    "--configured", is_flag=True, help="As the configuration sees it: its providers by their names, and what it says."
)


def _shelves(configured: bool, config: Path | None) -> Any:
    from headgate.catalog.show import everything

    if not configured and config is None:
        return everything()
    from headgate.catalog.refreshed import BadCatalogue
    from headgate.runtime.build import catalogue
    from headgate.server.refresh import stored

    found = _load(config, {}).config
    try:
        return catalogue(found, stored(found)).shelves
    except BadCatalogue as error:
        raise click.ClickException(f"the refreshed catalogue cannot be used: {error}") from error


@models.command("list")
@click.option("--provider", "-p", multiple=True, help="Only models of this provider; may be given again.")
@click.option("--operation", "-o", help="Only models for this: chat, embeddings, images, speech, transcription …")
@click.option(
    "--takes", "--modality", multiple=True, help="Only models that take this: text, image, audio, video, document."
)
@click.option("--gives", multiple=True, help="Only models that answer in this: text, image, audio.")
@click.option("--can", multiple=True, help="Only models that can this: tools, schema, reasoning, caching, web_search …")
@click.option("--tools", is_flag=True, help="The same as --can tools.")
@click.option("--context", type=click.IntRange(min=1), help="Only models with a context of so many tokens at least.")
@click.option("--price", metavar="DOLLARS", help="Only models whose million tokens of input cost so much at most.")
@click.option("--search", "-s", metavar="TEXT", help="Only models with these words in provider/model.")
@click.option("--retired", is_flag=True, help="Models that are no longer served, too.")
@click.option("--count", is_flag=True, help="Print only how many there are.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: every field, with its source.")
@configured_option
@config_option
def list_models(
    config: Path | None, configured: bool, as_json: bool, count: bool, tools: bool, price: str | None, **wanted: Any
) -> int:
    """List models, with prices in US dollars per million tokens."""
    from decimal import Decimal, InvalidOperation

    from headgate.catalog.show import Wanted, show_list

    try:
        most = None if price is None else Decimal(price.removeprefix("$"))
    except InvalidOperation as error:
        raise click.BadParameter(f"{price!r} is not a price", param_hint="--price") from error
    wanted["can"] = (*wanted["can"], *(["tools"] if tools else []))
    return show_list(_shelves(configured, config), Wanted(price=most, **wanted), as_json=as_json, count=count)


@models.command("show")
@click.argument("name", metavar="PROVIDER/MODEL")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@configured_option
@config_option
def show_model(config: Path | None, configured: bool, name: str, as_json: bool) -> int:
    """Show all that is known of a model, with the source and day of each fact."""
    from headgate.catalog.show import show_one

    return show_one(_shelves(configured, config), name, as_json=as_json)


@cli.group(cls=ListByDefault)
def providers() -> None:
    """Who can be asked. Without a command: list them."""


@providers.command("list")
@click.option("--operation", "-o", help="Only those that serve this: chat, embeddings, images, speech, rerank …")
@click.option("--search", "-s", metavar="TEXT", help="Only those with these words in what is shown of them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: every dialect, variable and address.")
@click.option("--configured", is_flag=True, help="Those of the configuration, by their names there.")
@config_option
def list_providers(
    config: Path | None, configured: bool, as_json: bool, operation: str | None, search: str | None
) -> int:
    """List providers: who it is, what it serves, where, and the variable of its key."""
    from headgate.config import show

    found = show.configured(_load(config, {}).config) if configured or config else show.everybody()
    return show.show([one for one in found if one.fits(operation, search)], as_json=as_json)


@cli.group()
def key() -> None:
    """Make keys."""


def _key_name(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (value == value.strip() and value.isprintable() and 0 < len(value) <= 100):
        raise click.BadParameter("a key's name is 1 to 100 printable characters, without spaces around them")
    if value == "admin":
        raise click.BadParameter("the name `admin` is the admin key's; choose another")
    return value


@key.command()
@click.option("--name", callback=_key_name, help="Print the entry for `keys` in the configuration too, by this name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def new(name: str | None, as_json: bool) -> None:
    """Make a key for a client: print it, and the hash to put into the configuration instead of it."""
    import json

    from headgate.config.secrets import hash_key, new_key

    made = new_key()
    hashed = f"sha256:{hash_key(made)}"
    if as_json:
        click.echo(json.dumps({"key": made, "key_hash": hashed, **({"name": name} if name else {})}))
        return
    click.echo(f"key:      {made}")
    click.echo(f"key_hash: {hashed}")
    if name:
        from headgate.config.document import resolved

        plain = PLAIN_NAME.match(name) and isinstance(resolved(name), str)
        written = name if plain else json.dumps(name, ensure_ascii=False).replace("$", "$$")
        click.echo(f'- {{name: {written}, key_hash: "{hashed}"}}')


@key.command()
@click.option("--new", "replace", is_flag=True, help="Make a new key in place of the old one, and print it.")
@config_option
@data_dir_option
def admin(config: Path | None, data_dir: Path | None, replace: bool) -> None:
    """Replace the admin key. It is printed once: only its hash is kept.

    Refused where HEADGATE_ADMIN_KEY is set: the key there is the admin key, and the new one would be in force nowhere.
    """
    if not replace:
        raise click.UsageError("the admin key cannot be shown again; --new makes another in its place")
    from headgate.config import admin_key
    from headgate.config.problems import ConfigError

    if admin_key.VARIABLE in os.environ:
        message = f"{admin_key.VARIABLE} is set, so its key is the admin key and a new one would not be in force"
        raise click.ClickException(f"{message}; put another key into the variable (headgate key new), or unset it")
    try:
        click.echo(admin_key.replace(_folder(config, data_dir)))
    except ConfigError as error:
        raise Refused(error) from error


@cli.group(name="config")
def configuration() -> None:
    """Describe the configuration."""


@configuration.command()
def schema() -> None:
    """Print the JSON schema of the configuration file, for editors."""
    from headgate.config.reference import json_schema

    click.echo(json_schema(), nl=False)


@configuration.command()
def reference() -> None:
    """Print the reference page of every key."""
    from headgate.config.reference import page

    click.echo(page(), nl=False)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a completion script for your shell: eval "$(headgate completion bash)"."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "headgate", "_HEADGATE_COMPLETE").source())
