"""Where files of the checkout are in the site: on a page of their own, or as a copy."""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mvlm.cache.files import replacing

FILES = "files"  # folder of the site for copies


@dataclass
class Places:
    """What of a checkout is where in a site.

    Attributes:
        root: the checkout.
        site: the folder of the site.
        pages: path in the checkout, or name of a module -> page of the site, with an anchor where it is of more.
        copies: places in the site of the copies that were made.
    """

    root: Path
    site: Path
    pages: dict[str, str] = field(default_factory=dict)
    copies: set[str] = field(default_factory=set)

    def resolver(self, text: str, here: str) -> Callable[[str], str]:
        """What turns the links of a text into those of a page.

        Args:
            text: path of the text in the checkout, to which its links are relative.
            here: the page that shows it.
        """

        def resolve(url: str) -> str:
            if re.match(r"[a-z]+:|#", url):
                return url
            path, sign, anchor = url.partition("#")
            inside = posixpath.normpath(posixpath.join(posixpath.dirname(text), path))
            return relative(self.page_of(inside, f"{text}: the link {url}") + sign + anchor, here)

        return resolve

    def known(self, here: str) -> Callable[[str], str | None]:
        """What turns code that names a module or the path of what has a page into a link to it, seen from `here`."""

        def find(code: str) -> str | None:
            page = self.pages.get(code.rstrip("/"))
            return None if page is None or page == here else relative(page, here)

        return find

    def page_of(self, path: str, asked: str) -> str:
        """The page of a file or folder of the checkout, or its copy, which is made now.

        Raises ValueError, which begins as `asked`, for a file that is not there.
        """
        if path in self.pages:
            return self.pages[path]
        if not (self.root / path).is_file():
            raise ValueError(f"{asked} leads to {path}, which has no page and is no file")
        return self.copy(self.root / path, path)

    def copy(self, source: Path, path: str) -> str:
        """The place of a copy of a file in the site, `path` being its place in the checkout."""
        place = f"{FILES}/{path}"
        if place not in self.copies:
            (self.site / place).parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.site / place) as part:
                shutil.copyfile(source, part)
            self.copies.add(place)
        return place


def relative(page: str, here: str) -> str:
    """The link to a page of the site from the page `here`."""
    path, sign, anchor = page.partition("#")
    return posixpath.relpath(path, posixpath.dirname(here) or ".") + sign + anchor
