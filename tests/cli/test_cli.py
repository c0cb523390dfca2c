"""The command line: light to start, an example for every verb, one clear error for every bad input."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from mintage.cli.main import app, main
from tests.conftest import ROOT

HEAVY = (
    "torch",
    "numpy",
    "pyarrow",
    "duckdb",
    "pydantic",
    "matplotlib",
    "fastapi",
    "tokenizers",
    "transformers",
)


def mintage(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [sys.executable, "-c", "from mintage.cli.main import main; main()", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env={**os.environ, "COLUMNS": "200"}
    )


def verbs(command: typer.main.TyperGroup | object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every verb's words."""
    children = getattr(command, "commands", None)
    if children is None:
        return [path]
    return [words for name, child in children.items() for words in verbs(child, (*path, name))]


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['mintage', '--help']\n"
        "from mintage.cli.main import main\n"
        "try: main()\n"
        f"finally: print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "HEAVY []" in answer.stdout


@pytest.mark.parametrize("words", verbs(typer.main.get_command(app)), ids=" ".join)
def test_every_verb_shows_an_example(words: tuple[str, ...]) -> None:
    command = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    assert f"Example: mintage {' '.join(words)}" in (command.help or "")


def fails(answer: subprocess.CompletedProcess[str], *parts: str) -> None:
    """The command ended with one clear error that has all these parts."""
    assert answer.returncode == 2, answer
    assert "Traceback" not in answer.stderr
    assert answer.stderr.startswith("error: ")
    for part in parts:
        assert part in answer.stderr


def test_a_mistake_is_left_in_a_file_for_a_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "error"
    monkeypatch.setenv("MINTAGE_ERROR_FILE", str(place))
    monkeypatch.setenv("RANK", "1")
    fails(mintage("run", "nothing.yaml"))
    assert not place.exists()  # the first process says it
    monkeypatch.setenv("RANK", "0")
    answer = mintage("run", "nothing.yaml")
    assert answer.stderr == f"error: {place.read_text()}"
    # Started again by torchrun, each process ends at once; a first start of the same job reads no old file.
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    again = mintage("run", "nothing.yaml")
    assert (again.returncode, again.stdout, again.stderr) == (2, "", "")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    fails(mintage("run", "nothing.yaml"))


def test_wrong_key_in_a_recipe(tiny_recipe: Path, tmp_path: Path) -> None:
    answer = mintage("run", str(tiny_recipe), "-w", str(tmp_path / "w"), "--set", "tokenizer.vocab_siz=300")
    fails(answer, "tokenizer.vocab_siz: unknown key, did you mean vocab_size?")
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("content", "part"), [(None, "no such file"), (b"", "empty"), (b"\x00\x01\xff\xfe" * 500, "text")]
)
def test_bad_source_files(tiny_recipe: Path, tmp_path: Path, content: bytes | None, part: str) -> None:
    data = tiny_recipe.parent / "data.jsonl"
    data.unlink()
    if content is not None:
        data.write_bytes(content)
    answer = mintage("corpus", "build", str(tiny_recipe), "-w", str(tmp_path / "w"))
    fails(answer, "data.jsonl", part)
    assert not list((tmp_path / "w").rglob("*.parquet"))


def test_corpus_smaller_than_one_window(tiny_recipe: Path, tmp_path: Path) -> None:
    (tiny_recipe.parent / "data.jsonl").write_text(
        json.dumps({"id": "1", "date": "2015-01-01", "text": "Short."})
    )
    answer = mintage("pretrain", str(tiny_recipe), "-w", str(tmp_path / "w"))
    assert answer.returncode == 2 and "Traceback" not in answer.stderr
    assert not list((tmp_path / "w" / "models").glob("*")) if (tmp_path / "w" / "models").exists() else True


def test_port_in_use_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = mintage("quickstart", "--port", str(port), "-w", str(tmp_path / "w"))
    fails(answer, f"port {port} is in use", "--port")
    assert not (tmp_path / "w").exists()


def test_unknown_model_names_what_there_is(tmp_path: Path) -> None:
    fails(mintage("chat", "nobody", "-w", str(tmp_path)), "nobody", "mintage quickstart")


def test_sql_needs_a_corpus_and_show_says_what_to_do(tmp_path: Path) -> None:
    fails(mintage("corpus", "sql", "select 1", "-w", str(tmp_path)), "mintage corpus build")
    assert "mintage quickstart" in mintage("show", "-w", str(tmp_path)).stdout


def test_doctor_says_what_this_machine_can_do() -> None:
    answer = mintage("doctor", cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    for part in ("torch", "float32", "disk"):
        assert part in answer.stdout


def test_ctrl_c_stops_with_a_word_and_the_code_of_an_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mintage.pipeline.collecting.run", interrupted)
    monkeypatch.setattr("sys.argv", ["mintage", "collect", "sandbox"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130 and capsys.readouterr().err == "stopped\n"
