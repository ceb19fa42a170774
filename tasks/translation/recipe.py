"""Names of places, languages, scripts, moneys, units and hours, from English into other languages, letter by letter.

Source: Unicode CLDR (https://cldr.unicode.org), as the package Babel has it. A name that stands twice in English is taken once. The split is
by the English name alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pyarrow as pa

REQUIRES = ("babel==2.18.0",)

LANGUAGES = ("de", "fr", "es", "sv")
PLAIN = ("territories", "languages", "scripts", "currencies")
PARTS = ("test", "validation", *["train"] * 8)


def names() -> pa.Table:
    """A row an English name; a language that has none for it is missing there."""
    from babel import Locale

    return prepared(dict(_named(Locale("en"))), {each: dict(_named(Locale(each))) for each in LANGUAGES})


def prepared(english: dict[str, str], others: dict[str, dict[str, str]]) -> pa.Table:
    """Of names by key, as lists of letters; `part` is a tenth each for test and validation, by the name's checksum."""
    keys = list({name: key for key, name in reversed(english.items())}.values())[::-1]
    texts = [english[key] for key in keys]
    columns = {
        language: [list(known[key]) if key in known else None for key in keys] for language, known in others.items()
    }
    part = [PARTS[zlib.crc32(text.encode()) % len(PARTS)] for text in texts]
    return pa.table({"english": texts, "letters": [list(text) for text in texts], **columns, "part": part})


def _named(locale: object) -> Iterator[tuple[str, str]]:
    """(key, name) of all that a locale names."""
    for kind in PLAIN:
        yield from ((f"{kind}/{key}", name) for key, name in getattr(locale, kind).items())
    for key, zone in locale.time_zones.items():  # type: ignore[attr-defined]
        if "city" in zone:
            yield f"city/{key}", zone["city"]
    for key, zone in locale.meta_zones.items():  # type: ignore[attr-defined]
        yield from ((f"zone/{key}/{form}", name) for form, name in zone.get("long", {}).items())
