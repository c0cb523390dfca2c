"""A tokenizer from elsewhere keeps its ids and gains control tokens; transformers sees the same."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from mintage.errors import MintageError
from mintage.tokens import fast
from mintage.tokens.adopt import adopt, fingerprint
from mintage.tokens.tokenizer import CONTROL_TOKENS, Tokenizer, TokenizerSettings, pieces_of
from tests.tokens.test_tokenizer import ANY_TEXT, MESSAGES, TEXTS

SPECIALS = ["<|endoftext|>", "<|im_end|>", "<repo_name>", "<filename>"]
TALLY = ("<|endoftext|>", "<|pad|>", "<|user|>", "<|assistant|>")
PLAIN = TokenizerSettings(base="somewhere")


def write_foreign(folder: Path) -> tokenizers.Tokenizer:
    """A byte-level BPE in GPT-2's pattern with special tokens in front, as SmolLM2's is."""
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=360, special_tokens=SPECIALS, initial_alphabet=alphabet)
    )
    folder.mkdir(exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    return made


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tokenizers.Tokenizer]:
    folder = tmp_path_factory.mktemp("foreign")
    return folder, write_foreign(folder)


def test_ids_stay_and_missing_control_tokens_follow(foreign) -> None:
    folder, theirs = foreign
    ours = adopt(PLAIN, folder)
    added = CONTROL_TOKENS[1:]
    assert ours.vocab_size == theirs.get_vocab_size() + len(added)
    assert ours.control_ids == {
        "<|endoftext|>": 0,
        **{token: theirs.get_vocab_size() + number for number, token in enumerate(added)},
    }
    for text in [*TEXTS[:3], "Unseen: жук 🎉 12,345,678 \n x"]:
        assert ours.encode(text) == theirs.encode(text).ids
    assert (ours.end_of_text_id, ours.pad_id) == (0, ours.control_ids["<|pad|>"])


@given(text=ANY_TEXT)
@settings(max_examples=100)
def test_any_text_comes_back_in_pieces_as_in_one(foreign, text: str) -> None:
    folder, _ = foreign
    ours = adopt(PLAIN, folder)
    ids = ours.encode(text)
    assert ours.decode(ids) == text
    assert not set(ids) & {*ours.control_ids.values(), 1, 2, 3}
    whole = tokenizers.Tokenizer.from_str(ours._json)
    whole.encode_special_tokens = True
    pieces = list(pieces_of(text, 3, ours.cut))
    assert [token for piece in pieces for token in whole.encode(piece).ids] == ids


def test_renamed_special_tokens_leave_the_vocabulary_as_it_was(foreign) -> None:
    folder, theirs = foreign
    rename = {"<|im_end|>": "<|end|>", "<repo_name>": "<|user|>", "<filename>": "<|assistant|>"}
    ours = adopt(dataclasses.replace(PLAIN, rename=rename), folder)
    assert ours.control_ids["<|end|>"] == 1 and ours.control_ids["<|user|>"] == 2
    assert ours.vocab_size == theirs.get_vocab_size() + 2  # pad and system
    for wrong in ({"<absent>": "<|end|>"}, {"the": "<|end|>"}):
        with pytest.raises(MintageError, match="no special token"):
            adopt(dataclasses.replace(PLAIN, rename=wrong), folder)


@pytest.mark.parametrize("controls", [CONTROL_TOKENS, TALLY])
def test_saved_it_is_the_same_in_transformers_chats_included(foreign, controls, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    folder, _ = foreign
    ours = adopt(dataclasses.replace(PLAIN, control_tokens=controls), folder)
    ours.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    assert (again.hash, again.control_ids, again.cut) == (ours.hash, ours.control_ids, ours.cut)
    automatic = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert (automatic.eos_token_id, automatic.pad_token_id) == (ours.end_of_text_id, ours.pad_id)
    messages = MESSAGES if "<|system|>" in controls else MESSAGES[1:]
    theirs = automatic.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    assert ours.encode_chat(messages) == (theirs["input_ids"], theirs["assistant_masks"])
    if "<|system|>" not in controls:
        assert ours.end_of_turn_id == ours.end_of_text_id == theirs["input_ids"][-1]
        with pytest.raises(MintageError, match="unknown role"):
            ours.encode_chat(MESSAGES)


def test_bulk_encoding_gives_the_same_ids(foreign) -> None:
    folder, _ = foreign
    ours = adopt(PLAIN, folder)
    texts = [*TEXTS, "<|im_end|> and <|user|> are text \n here", ""]
    ids, lengths = fast.encoder(ours)(texts)
    assert ids.tolist() == [token for text in texts for token in ours.encode(text)]
    assert lengths.tolist() == [len(ours.encode(text)) for text in texts]


def test_the_content_of_the_folder_decides(foreign, tmp_path: Path) -> None:
    folder, _ = foreign
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint(copy) == fingerprint(folder)
    specification = json.loads((copy / "tokenizer.json").read_text())
    specification["model"]["merges"].pop()
    (copy / "tokenizer.json").write_text(json.dumps(specification))
    assert fingerprint(copy) != fingerprint(folder)


def test_tokenizers_that_would_change_texts_are_refused(foreign, tmp_path: Path) -> None:
    folder, _ = foreign

    def changed(name: str, change) -> Path:
        made = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        change(made)
        (tmp_path / name).mkdir()
        made.save(str(tmp_path / name / "tokenizer.json"))
        return tmp_path / name

    def lowercase(made: tokenizers.Tokenizer) -> None:
        made.normalizer = normalizers.Lowercase()

    def prefixed(made: tokenizers.Tokenizer) -> None:
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)

    with pytest.raises(MintageError, match="changes texts"):
        adopt(PLAIN, changed("lowercase", lowercase))

    def without_a_byte(made: tokenizers.Tokenizer) -> None:
        specification = json.loads(made.to_str())
        vocabulary = specification["model"]["vocab"]
        spare = next(
            token
            for token in pre_tokenizers.ByteLevel.alphabet()
            if not any(token in merge for merge in specification["model"]["merges"])
        )
        vocabulary["spare"] = vocabulary.pop(spare)
        made.model = tokenizers.Tokenizer.from_str(json.dumps(specification)).model

    with pytest.raises(MintageError, match="cannot write every byte"):
        adopt(PLAIN, changed("without a byte", without_a_byte))
    with pytest.raises(MintageError, match="does not give a text back"):
        adopt(PLAIN, changed("prefixed", prefixed))
    (tmp_path / "empty").mkdir()
    with pytest.raises(MintageError, match=r"no tokenizer\.json"):
        adopt(PLAIN, tmp_path / "empty")
    (tmp_path / "empty" / "tokenizer.json").write_text('{"model": {"type": "WordPiece"}}')
    with pytest.raises(MintageError, match="byte-level BPE"):
        adopt(PLAIN, tmp_path / "empty")


def test_what_a_tokenizer_would_add_to_a_text_or_take_from_it_is_left_to_the_stages(
    foreign, tmp_path: Path
) -> None:
    """As Llama 3's puts a token before each text, and others cut or fill texts to a length."""
    folder, theirs = foreign
    made = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    made.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    made.enable_truncation(4)
    made.enable_padding(length=9)
    made.save(str(tmp_path / "tokenizer.json"))
    text = "It's 1,234.5 and then some more of it"
    assert made.encode(text).ids != theirs.encode(text).ids
    assert adopt(PLAIN, tmp_path).encode(text) == theirs.encode(text).ids


def test_control_tokens_that_are_there_keep_their_ids_and_become_special(foreign, tmp_path: Path) -> None:
    """One as an added token that is not special, one as a plain entry of the vocabulary, the others new."""
    folder, theirs = foreign
    made = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    specification = json.loads(made.to_str())
    size = theirs.get_vocab_size()
    specification["model"]["vocab"]["<|assistant|>"] = size
    made = tokenizers.Tokenizer.from_str(json.dumps(specification))
    made.add_tokens([tokenizers.AddedToken("<|user|>", special=False)])
    made.save(str(tmp_path / "tokenizer.json"))
    ours = adopt(PLAIN, tmp_path)
    new = [token for token in CONTROL_TOKENS[1:] if token not in ("<|user|>", "<|assistant|>")]
    expected = {"<|endoftext|>": 0, "<|assistant|>": size, "<|user|>": size + 1}
    expected |= {token: size + 2 + number for number, token in enumerate(new)}
    assert ours.control_ids == expected
    assert ours.vocab_size == size + 2 + len(new)
    for token, number in expected.items():
        assert number not in ours.encode(f"{token} is text")


def test_settings_that_contradict_each_other_are_refused() -> None:
    for wrong in (
        {"control_tokens": TALLY},
        {"base": "x", "control_tokens": ("<|endoftext|>",)},
        {"base": "x", "control_tokens": (*TALLY, "<|tool|>")},
        {"base": "x", "rename": {"<a>": "<|tool|>"}},
    ):
        with pytest.raises(ValueError, match="control_tokens"):
            TokenizerSettings(**wrong)


def test_gpt2_gains_three_tokens(shared_data: Path) -> None:
    ours = adopt(dataclasses.replace(PLAIN, control_tokens=TALLY), shared_data / "tokenizers" / "gpt2")
    assert ours.vocab_size == 50_260
    assert ours.control_ids == {
        "<|endoftext|>": 50_256, "<|pad|>": 50_257, "<|user|>": 50_258, "<|assistant|>": 50_259
    }  # fmt: skip
    # Ids of OpenAI's own encoder.
    assert ours.encode("Hello world") == [15496, 995]
    assert ours.encode("don't 2024\n\n  x") == [9099, 470, 48609, 628, 220, 2124]
