"""EDGAR's nightly archives: the submissions and companyfacts answers of every company, in two zip files."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.transport import Refused, Request, Response
from mintage.corpus.sources.edgar import listing
from mintage.corpus.sources.edgar.settings import EdgarSource
from mintage.errors import MintageError

ARCHIVES = {
    "submissions.zip": f"{listing.ARCHIVES}/daily-index/bulkdata/submissions.zip",
    "companyfacts.zip": f"{listing.ARCHIVES}/daily-index/xbrl/companyfacts.zip",
}
FOLDERS = {
    "submissions.zip": f"{listing.DATA}/submissions/",
    "companyfacts.zip": f"{listing.DATA}/api/xbrl/companyfacts/",
}
"""Where the host has what an archive holds; the two archives use the same names within."""
FRESH = timedelta(days=1)  # they are made anew every night


class Archives:
    """Indexes and figures of companies: out of the archives where the settings name a folder with them, and
    from the host otherwise. What comes out of an archive is stored as the host's own answer."""

    def __init__(self, settings: EdgarSource, fetch: Fetch):
        self.fetch = fetch
        self.opened: dict[str, tuple[zipfile.ZipFile, datetime]] = {}
        if settings.bulk is None:
            return
        folder = Path(settings.bulk)
        wanted = ["submissions.zip"] + ["companyfacts.zip"] * settings.figures
        for name in wanted:
            path = folder / name
            if settings.fetch_bulk and not (path.exists() and age_of(path) < FRESH):
                folder.mkdir(parents=True, exist_ok=True)
                fetch.transport.save(Request(ARCHIVES[name]), path)
            try:
                archive = zipfile.ZipFile(path)
            except FileNotFoundError:
                raise MintageError(
                    f"{path}: no such archive; get it from {ARCHIVES[name]}, or set fetch_bulk: true"
                ) from None
            except zipfile.BadZipFile as error:
                raise MintageError(f"{path}: not a whole zip file ({error}); get it again") from None
            made = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
            self.opened.update((FOLDERS[name] + member, (archive, made)) for member in archive.namelist())

    def keep(self, url: str, check: Callable[[bytes], None]) -> bool:
        """Store the answer of an address out of an archive; False where none has it.

        Raises:
            Refused: what the archive has is damaged, or not such an answer.
        """
        archive, made = self.opened.get(url, (None, None))
        if archive is None or made is None:
            return False
        try:
            body = archive.read(url.rsplit("/", 1)[-1])
            check(body)
        except (zipfile.BadZipFile, zlib.error, ValueError) as error:
            raise Refused(url, f"what {archive.filename} has of it cannot be read: {error}") from None
        self.fetch.keep(Response(url, 200, {}, body, made), {})
        return True

    def get(self, url: str, check: Callable[[bytes], None]) -> bytes:
        """The answer of an address, out of an archive or from the host.

        Raises:
            Refused: there is no usable answer.
        """
        if self.keep(url, check):
            return self.fetch.raw.body(self.fetch.raw.newest[url])
        return self.fetch(Request(url, check=check))


def age_of(path: Path) -> timedelta:
    """How long ago a file was written."""
    return datetime.now(UTC) - datetime.fromtimestamp(path.stat().st_mtime, UTC)
