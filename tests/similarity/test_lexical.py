"""The lexical embedder: texts of the same words are near, others are not."""

import numpy as np

from headgate.similarity.lexical import WIDTH, Lexical, vector


def cosine(a, b):
    return float(np.frombuffer(vector(a), "<f4") @ np.frombuffer(vector(b), "<f4"))


async def test_vectors_have_the_length_1_whatever_the_text():
    for found in await Lexical().embed(["How are you?", "", "  ", "the", "?!", "你好", "\ud800", "x" * 100_000]):
        numbers = np.frombuffer(found, "<f4")
        assert len(numbers) == WIDTH
        assert np.isclose(np.linalg.norm(numbers), 1, atol=1e-6)


def test_the_same_words_in_another_form_are_nearer_than_others():
    asked = "How do I reset my password?"
    assert cosine(asked, "how can i reset my password") > 0.95
    assert cosine(asked, "Resetting passwords") > cosine(asked, "Resetting clocks")
    assert cosine(asked, "What is the weather in Oslo?") < 0.2
