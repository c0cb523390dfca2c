"""Data sets of the Hugging Face Hub in a folder, in the layout of their own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from mintage.corpus.document import Document
from mintage.corpus.sources.hub.presets import documents, preset_of
from mintage.corpus.sources.hub.rows import DATA_SUFFIXES, data_files, data_rows
from mintage.corpus.sources.hub.settings import HubSource
from mintage.corpus.sources.report import RawFile, SourceReport
from mintage.errors import MintageError
from mintage.workspace import file_sha256


def files(settings: HubSource) -> list[tuple[Path, str]]:
    """The data files of the folder in the order of their names, each with its name below it.

    Raises:
        MintageError: there are none at the path.
    """
    assert settings.path is not None
    found = data_files(Path(settings.path).expanduser())
    if not found:
        raise MintageError(
            f"{settings.path}: no {', '.join(DATA_SUFFIXES)} files; correct `path` of the source "
            f"{settings.name}, or get {settings.dataset} with `hf download --repo-type dataset`"
        )
    return found


def read(settings: HubSource, report: SourceReport) -> Iterator[Document]:
    """The documents of a folder, one row in memory at a time, up to the limit.

    Raises:
        MintageError: no file, a file that cannot be read at all, or one without a column that it must have.
    """
    yield from islice(every_file(settings, report), settings.limit)


def every_file(settings: HubSource, report: SourceReport) -> Iterator[Document]:
    """The documents of all files of a folder."""
    preset = preset_of(settings)
    for path, name in files(settings):
        if path.stat().st_size == 0:
            report.bad(name, 1, "the file is empty")
            continue
        file = RawFile(name, file_sha256(path), path.stat().st_size)
        report.files.append(file)
        rows = data_rows(path, name, preset.required, preset.optional)
        yield from documents(settings, preset, rows, file, report)
