"""Answers that a running gateway keeps."""

from __future__ import annotations

from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import click

from headgate.cli.objects import THERE, asking, client, json_option
from headgate.cli.settings import FOLDER
from headgate.cli.times import read_span


@click.group()
def cache() -> None:
    """Answers that are kept to be given again."""


@cache.command()
@click.option("--alias", metavar="NAME", help="Only answers of this name.")
@click.option("--key", metavar="NAME", help="Only to requests of this key, by its name.")
@click.option("--team", metavar="NAME", help="Only to requests of this team.")
@click.option("--organisation", metavar="NAME", help="Only to requests of this organisation.")
@click.option("--user", metavar="NAME", help="Only to requests of this user's keys.")
@click.option("--end-user", metavar="NAME", help="Only those that were asked for first for this end user.")
@click.option("--tag", metavar="WORD", help="Only of requests that said this in `x-headgate-cache-tags`.")
@click.option("--entry", metavar="ID", help="Only the one whose `x-headgate-cache-entry` this is.")
@click.option("--older-than", callback=read_span, default="0s", metavar="SPAN", help="Only older ones: 30m, 4h, 2d.")
@asking
def clear(config: Path | None, url: str | None, as_json: bool, older_than: timedelta, **named: str | None) -> None:
    """Take answers out of the cache, so that they are asked for anew; all, where nothing is said."""
    said = {name: value for name, value in named.items() if value is not None}
    client(config, url, as_json).clear_cache({**said, "older_than": older_than.total_seconds()})


@cache.command()
@click.argument("request")
@click.option("--wrong", "verdict", flag_value="wrong", default=True, help="It was no answer to this (as without it).")
@click.option("--right", "verdict", flag_value="right", help="It was one.")
@asking
def report(config: Path | None, url: str | None, as_json: bool, request: str, verdict: str) -> None:
    """Say of a request, by its id, that the answer that it got from the cache was wrong: it is taken out, and where it
    was one to a similar question, more like a question has to be there from here on."""
    client(config, url, as_json).report_answer(request, verdict)


@cache.command()
@click.option("--reset", is_flag=True, help="Take them back: all is as it is configured.")
@asking
def thresholds(config: Path | None, url: str | None, as_json: bool, reset: bool) -> None:
    """List where reports of wrong answers have raised how like a question has to be."""
    asked = client(config, url, as_json)
    asked.reset_thresholds() if reset else asked.thresholds()


@cache.command()
@click.argument("file", type=THERE)
@click.option("--folder", type=FOLDER, help="A folder with the weights of a sentence encoder. Default: lexical.")
@click.option(
    "--precision", type=click.FloatRange(0, 1), default=0.99, show_default=True, help="How often it is to be right."
)
@click.option(
    "--answers-alike",
    type=click.FloatRange(0, 1),
    default=0.9,
    show_default=True,
    help="For lines of the log: how like two answers are that count as one, by the same embedder.",
)
@json_option
def tune(file: Path, folder: Path | None, precision: float, answers_alike: float, as_json: bool) -> None:
    """Say how often each threshold for similar questions is right, and how much it finds, on pairs that you know.

    FILE has lines of JSON. Either pairs: {"a": "a question", "b": "another", "alike": true}, where `alike` says whether
    one answer serves both (also as text_a, text_b, label); with "similarity" it is taken as given, for an embedder of
    your own. Or what `headgate records --export FILE --payload` has written: near questions in the same context are
    paired, and told alike where their answers agree, which is a guess.
    """
    from headgate.similarity import PACKAGE

    if find_spec(PACKAGE) is None:
        raise click.ClickException(f"this needs the package {PACKAGE}, which is not there: install headgate[semantic]")
    from headgate.governance.tuning import tune

    tune(file, folder, precision, answers_alike, as_json=as_json)
