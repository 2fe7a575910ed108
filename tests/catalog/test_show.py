import json
from decimal import Decimal

from headgate.catalog import show
from headgate.catalog.shelf import Shelf, layer
from headgate.catalog.show import Wanted, listed, show_list, show_one
from headgate.core.columns import table
from together import together

DATA = layer(
    b"""{
"":{"sources":{"l":{"version":"1","read":"2026-01-01"}},"by":{"*":"l"},"pages":["https://x.example"]},
"big":{"ops":"chat","takes":"text image","gives":"text","can":"tools","context":2000000,"max_output":5,"page":0,
       "prices":[{"input":"3","output":"15","input>200000":"6","web_searches":"0.01","images@low/1024x1024":"0.04"}]},
"big-2025-01-01":"big",
"small":{"ops":"chat","takes":"text","context":1000,"prices":[{"from":"2020-01-01","input":"0.1"},{"from":"2021-01-01","input":"0.05"}]},
"gone":{"ops":"embeddings","retires":"2020-01-01"},
"free":{"ops":"embeddings"}
}"""
)
SHELVES = {"x": Shelf("x", [DATA]), "y": Shelf("y", [])}


@together(
    ("wanted", "ids"),
    [
        (Wanted(), ["big", "free", "small"]),
        (Wanted(retired=True), ["big", "free", "gone", "small"]),
        (Wanted(provider=["y"]), []),
        (Wanted(operation="embeddings"), ["free"]),
        (Wanted(takes=["image", "text"]), ["big"]),
        (Wanted(gives=["text"]), ["big"]),
        (Wanted(can=["tools"]), ["big"]),
        (Wanted(context=1001), ["big"]),
        (Wanted(price=Decimal("0.05")), ["small"]),
        (Wanted(price=Decimal("3")), ["big", "small"]),
        (Wanted(search="X/ SMA"), ["small"]),
        (Wanted(search="sma nothing"), []),
    ],
)
def test_what_is_wanted_is_listed(wanted, ids):
    assert [entry.id for entry in listed(SHELVES, wanted)] == ids


def test_the_table_is_for_people(capsys):
    assert show_list(SHELVES, Wanted(), as_json=False, count=False) == 0
    out, err = capsys.readouterr()
    head, *rows = out.splitlines()
    assert head.split() == ["MODEL", "SERVES", "CONTEXT", "OUTPUT", "TAKES", "CAN", "IN", "$/M", "OUT", "$/M", "STATUS"]
    assert rows[0].split() == ["x/big", "chat", "2M", "5", "image", "tools", "3", "15"]
    assert err == "3 models\n"


def test_json_is_for_programs(capsys):
    assert show_list(SHELVES, Wanted(search="big"), as_json=True, count=False) == 0
    (big,) = json.loads(capsys.readouterr().out)
    assert (big["model"], big["aliases"], big["context"], big["takes"]) == (
        "x/big",
        ["big-2025-01-01"],
        2000000,
        ["text", "image"],
    )
    assert big["rates"]["input>200000"] == "6"
    assert big["sources"]["context"] == "l 1 (2026-01-01)"
    assert show_list(SHELVES, Wanted(), as_json=False, count=True) == 0
    assert capsys.readouterr().out == "3\n"


def test_a_provider_that_is_not_there_is_told(capsys):
    assert show_list({"openai": SHELVES["x"]}, Wanted(provider=["opnai"]), as_json=False, count=False) == 1
    assert "did you mean openai?" in capsys.readouterr().err


def test_all_that_is_known_of_one_with_its_source(capsys):
    assert show_one(SHELVES, "x/big-2025-01-01", as_json=False) == 0
    out = capsys.readouterr().out
    assert "x/big\n" in out
    assert "asked for as" in out
    for text in (
        "$6 per million tokens, above 200,000 of prompt",
        "$0.01 per web search",
        "$0.04 per image",
        "https://x.example",
    ):
        assert text in out
    assert "2,000,000" in out
    assert "l 1 (2026-01-01)" in out
    assert show_one(SHELVES, "x/small", as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["rates"] == {"input": "0.05"}


def test_a_model_that_is_not_there_is_told(capsys):
    assert show_one(SHELVES, "x/smal", as_json=False) == 1
    assert "did you mean x/small?" in capsys.readouterr().err
    assert show_one(SHELVES, "zzz", as_json=False) == 1
    assert "`headgate models` lists" in capsys.readouterr().err


def test_what_matters_least_goes_first_where_there_is_no_room():
    rows = [show._row(entry, show.datetime.now(show.UTC)) for entry in listed(SHELVES, Wanted())]
    heads = [next(table(show.COLUMNS, rows, room)) for room in (None, 60, 30, 5)]
    titles = [[column.title for column in show.COLUMNS if column.title in head] for head in heads]
    assert len(titles[0]) == 9
    assert titles[3] == ["MODEL"]
    assert titles[0] > titles[1] or len(titles[1]) < 9
    assert "MODEL" in titles[2]
    assert "STATUS" not in titles[1]
