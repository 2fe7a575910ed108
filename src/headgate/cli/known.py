"""What is known of models and providers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from headgate.cli.settings import ListByDefault, config_option, loaded_from


@click.group(cls=ListByDefault)
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

    found = loaded_from(config, {}).config
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


@click.group(cls=ListByDefault)
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

    found = show.configured(loaded_from(config, {}).config) if configured or config else show.everybody()
    return show.show([one for one in found if one.fits(operation, search)], as_json=as_json)
