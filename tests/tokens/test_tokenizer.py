"""The tokenizer against Hugging Face's own classes, on texts that nobody would have chosen."""

from __future__ import annotations

import random

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from mintage.corpus.document import Document, chat_text
from mintage.errors import MintageError
from mintage.tokens import tokenizer as module
from mintage.tokens.tokenizer import CONTROL_TOKENS, Tokenizer, TokenizerSettings, train, training_texts

TEXTS = [
    "The Committee decided to raise the target range for the federal funds rate by 25 basis points.\n",
    "Revenue of Acme in 2019 was 1,234 million; revenue in 2018 was 1,102 million, so it rose 12.0%.\n",
    "Net income:\t(17,729)\r\n\r\n  Don't read this: naïve café — “quoted” €3.50 你好\n",
] * 4
KINDS = ("bpe", "character")
MESSAGES = [
    {"role": "system", "content": "Answer  with the figure. "},
    {"role": "user", "content": " Revenue was 1,234 million.\nWhat was the revenue?\n"},
    {"role": "assistant", "content": "The revenue was 1,234 million."},
    {"role": "user", "content": "And in 2018?"},
    {"role": "assistant", "content": "1,102 million."},
]
# Any text that UTF-8 can hold, with control tokens and awkward spaces mixed in.
PIECES = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
    st.sampled_from(
        [*CONTROL_TOKENS, "<0x41>", "\n", "\r\n", "  ", " a", "a b", "\x1c", "\u2028", "1234567", "'S"]
    ),
)
ANY_TEXT = st.lists(PIECES, max_size=12).map("".join)


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return train(TokenizerSettings(kind=request.param, vocab_size=400), TEXTS)


@given(text=ANY_TEXT)
@settings(max_examples=150)
def test_any_text_comes_back_and_holds_no_control_token(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert all(len(CONTROL_TOKENS) <= token_id < tokenizer.vocab_size for token_id in ids)


@given(text=ANY_TEXT)
@settings(max_examples=150)
def test_cutting_long_texts_changes_no_token(tokenizer: Tokenizer, text: str) -> None:
    whole = tokenizers.Tokenizer.from_str(tokenizer._json)
    whole.encode_special_tokens = True
    pieces = list(module.pieces_of(text, 3))
    assert "".join(pieces) == text
    assert [token for piece in pieces for token in whole.encode(piece).ids] == whole.encode(text).ids


@given(data=st.data())
@settings(max_examples=100)
def test_streamed_text_joins_to_the_decoded_text(tokenizer: Tokenizer, data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size + 5), max_size=40))
    stream = tokenizer.decode_stream()
    pieces = [stream.step(token_id) for token_id in ids]
    assert "".join(pieces) + stream.finish() == tokenizer.decode(ids)


def test_streamed_text_holds_characters_back_until_they_are_whole(tokenizer: Tokenizer) -> None:
    stream = tokenizer.decode_stream()
    ids = tokenizer.encode("🎉 €")
    pieces = [stream.step(token_id) for token_id in ids]
    assert "".join(pieces) == "🎉 €" and len(ids) > 3
    assert "�" not in "".join(pieces)


def test_saved_tokenizer_is_the_same_in_tokenizers_and_in_transformers(
    tokenizer: Tokenizer, tmp_path
) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    tokenizer.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    assert (again.hash, again.vocab_size) == (tokenizer.hash, tokenizer.vocab_size)
    plain = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    automatic = transformers.AutoTokenizer.from_pretrained(tmp_path)
    fast = transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path)
    for text in [*TEXTS[:3], "".join(TEXTS), "", " ", "Unseen: жук 🎉 12,345,678"]:
        ids = tokenizer.encode(text)
        assert ids == again.encode(text) == plain.encode(text).ids
        assert ids == automatic.encode(text) == fast.encode(text)
        assert automatic.decode(ids) == text
    assert (automatic.eos_token_id, automatic.pad_token_id) == (tokenizer.end_of_text_id, tokenizer.pad_id)
    assert len(automatic) == tokenizer.vocab_size
    assert automatic.convert_tokens_to_ids(list(CONTROL_TOKENS)) == [0, 1, 2, 3, 4, 5]


def test_chats_are_written_as_transformers_writes_them(tokenizer: Tokenizer, tmp_path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    tokenizer.save(tmp_path)
    automatic = transformers.AutoTokenizer.from_pretrained(tmp_path)
    theirs = automatic.apply_chat_template(MESSAGES, return_dict=True, return_assistant_tokens_mask=True)
    ids, mask = tokenizer.encode_chat(MESSAGES)
    assert ids == theirs["input_ids"]
    assert mask == theirs["assistant_masks"]
    theirs = automatic.apply_chat_template(MESSAGES[:4], add_generation_prompt=True, return_dict=False)
    assert tokenizer.encode_chat(MESSAGES[:4], add_generation_prompt=True)[0] == theirs
    assert tokenizer.encode_chats([MESSAGES, MESSAGES[:2]]) == [
        (ids, mask),
        tokenizer.encode_chat(MESSAGES[:2]),
    ]


contents = st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), ANY_TEXT), max_size=5)


@given(turns=contents)
@settings(max_examples=100)
def test_chat_mask_covers_the_assistant_and_contents_cannot_take_over(tokenizer: Tokenizer, turns) -> None:
    expected_ids: list[int] = []
    expected_mask: list[int] = []
    for role, content in turns:
        body = [*tokenizer.encode(content), CONTROL_TOKENS.index("<|end|>")]
        expected_ids += [CONTROL_TOKENS.index(f"<|{role}|>"), *body]
        expected_mask += [0, *[int(role == "assistant")] * len(body)]
    messages = [{"role": role, "content": content} for role, content in turns]
    assert tokenizer.encode_chat(messages) == (expected_ids, expected_mask)


def test_unknown_role_is_one_clear_error(tokenizer: Tokenizer) -> None:
    with pytest.raises(MintageError, match="unknown role tool"):
        tokenizer.encode_chat([{"role": "tool", "content": "x"}])


def test_numbers_split_in_groups_of_three_digits() -> None:
    words = tokenizers.pre_tokenizers.Split(tokenizers.Regex(module.PATTERN), "isolated").pre_tokenize_str
    assert [word for word, _ in words("$1,234,567.8 in 20191")] == [
        "$",
        "1",
        ",",
        "234",
        ",",
        "567",
        ".",
        "8",
        " in",
        " ",
        "201",
        "91",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_training_depends_on_the_texts_and_not_on_their_order(kind: str) -> None:
    shuffled = random.Random(0).sample(TEXTS, len(TEXTS))
    options = TokenizerSettings(kind=kind, vocab_size=500)
    assert train(options, iter(shuffled)).hash == train(options, iter(TEXTS)).hash


def test_vocabulary_is_what_the_texts_give() -> None:
    reached = train(TokenizerSettings(vocab_size=32_768), ["one two one two"])
    assert 262 < reached.vocab_size < 280
    assert train(TokenizerSettings(vocab_size=300), TEXTS).vocab_size == 300
    characters = train(TokenizerSettings(kind="character"), TEXTS)
    assert characters.vocab_size == 262 + len(set("".join(TEXTS)))
    assert len(characters.encode(TEXTS[0])) == len(TEXTS[0])


def test_sample_is_bounded_proportional_and_independent_of_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE_PIECE", 100)
    rng = random.Random(1)
    letters = "abcdefghijklmnop"
    texts = [
        source * 4 + " " + " ".join("".join(rng.choices(letters, k=8)) for _ in range(20))
        for source, count in (("X", 900), ("Y", 300))
        for _ in range(count)
    ]
    size = sum(len(text) for text in texts)
    limit = size // 4
    chosen = module.sample(texts, limit)
    assert chosen == module.sample(reversed(texts), limit)
    assert limit * 0.99 < sum(len(piece) for piece in chosen) <= limit
    sources = [piece[0] for piece in chosen if piece[0] in "XY"]
    assert 0.68 < sources.count("X") / len(sources) < 0.82
    everything = module.sample(texts, size)
    assert sorted(everything) == sorted(piece for text in texts for piece in module.pieces_of(text, 100))


def test_noise_cannot_fill_the_memory_with_distinct_words() -> None:
    noise = [chr(0x4E00 + number) * 3 for number in range(100)]
    kept = list(module.few_words(["the rate rose", *noise, "rose the rate"], 200))
    assert kept[0] == "the rate rose" and kept[-1] == "rose the rate"
    distinct = {word for piece in kept for word in module.WORD.findall(piece)}
    assert 180 < sum(len(word.encode()) for word in distinct) <= 200


def test_chats_train_on_their_contents_and_not_on_their_json() -> None:
    chat = Document.make(
        source="s", native_id="1", kind="chat", text=chat_text(MESSAGES[:2]), licence="none", use="ship"
    )
    assert list(training_texts([chat])) == [message["content"] for message in MESSAGES[:2]]


def test_bad_input_is_one_clear_error(tmp_path) -> None:
    with pytest.raises(MintageError, match="there is no text to train on"):
        train(TokenizerSettings(), ["", ""])
    with pytest.raises(MintageError, match="no such file"):
        Tokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(MintageError, match="not a Mintage tokenizer"):
        Tokenizer.load(tmp_path)
    with pytest.raises(ValueError, match="262"):
        TokenizerSettings(vocab_size=100)
