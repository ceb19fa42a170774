"""The page around the pictures: one file, light and dark, readable by ear and on a phone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_LIGHT = ("#2a78d6", "#eb6834", "#1baf7a", "#eda100", "#e87ba4", "#008300", "#4a3aa7", "#e34948")
_DARK = ("#3987e5", "#d95926", "#199e70", "#c98500", "#d55181", "#3fa33f", "#9085e9", "#e66767")

_STYLE = """
:root { color-scheme: light dark; --paper: #fbfbfa; --card: #ffffff; --ink: #1d1d1b; --soft: #62615c; --line: #e4e3de; LIGHT }
@media (prefers-color-scheme: dark) {
  :root { --paper: #161615; --card: #1f1f1e; --ink: #ecebe6; --soft: #a3a29b; --line: #363633; DARK }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1120px; padding: 24px 20px 64px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.15rem; margin: 40px 0 8px } h3 { font-size: 1rem; margin: 24px 0 8px } p { max-width: 75ch }
.soft, figcaption span { color: var(--soft) }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 16px }
figure, .card { margin: 0; padding: 14px 16px; background: var(--card); border: 1px solid var(--line); border-radius: 8px }
figcaption { font-weight: 600 } figure ul { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 2px 0 4px; padding: 0;
  list-style: none; font-size: .82rem; color: var(--soft) }
figure i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px }
svg { display: block; width: 100%; height: auto; font: 11px system-ui, sans-serif } svg text { fill: var(--soft) }
svg .rule { stroke: var(--line) } svg path { fill: none; stroke-width: 1.8; stroke-linejoin: round }
svg circle { opacity: 0 } svg circle:hover { opacity: 1 } .plus { fill: var(--c0) } .minus { fill: var(--c7) }
svg .cell { fill: var(--ink) }
.wide { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--soft); padding-bottom: 4px } th, td { padding: 4px 14px 4px 0; text-align: left;
  border-bottom: 1px solid var(--line); vertical-align: top } td.n, th.n { text-align: right } th { font-weight: 600 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; margin: 12px 0 } dt { color: var(--soft) }
dd { margin: 0; overflow-wrap: anywhere } pre { overflow-x: auto; font-size: .82rem } summary { cursor: pointer }
"""


def page(title: str, subtitle: str, sections: Iterable[str]) -> str:
    """The whole document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_style()}</style></head>\n<body><header><h1>{escape(title)}</h1>"
        f'<p class="soft">{escape(subtitle)}</p></header><main>\n{"".join(sections)}</main></body></html>\n'
    )


def section(title: str, *parts: str, words: str = "") -> str:
    """A part of the page under its heading; empty when none of its parts holds anything."""
    if not any(parts):
        return ""
    said = f"<p>{escape(words)}</p>" if words else ""
    return f"<section><h2>{escape(title)}</h2>{said}{''.join(parts)}</section>\n"


def grid(figures: Iterable[str]) -> str:
    """Pictures side by side; empty when there is none."""
    drawn = "".join(figures)
    return f'<div class="grid">{drawn}</div>' if drawn else ""


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> str:
    """A table whose first column names the row; the first `words` columns hold words, the others numbers."""
    if not rows:
        return ""

    def kind(column: int) -> str:
        return "" if column < words else ' class="n"'

    top = "".join(f'<th scope="col"{kind(column)}>{escape(each)}</th>' for column, each in enumerate(head))
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td{kind(column)}>{escape(each)}</td>" for column, each in enumerate(row[1:], start=1))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table><caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and what they are; empty ones are left out."""
    inner = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs if value)
    return f"<dl>{inner}</dl>" if inner else ""


def folded(title: str, text: str) -> str:
    """A long text behind its title."""
    return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>" if text else ""


def _style() -> str:
    def variables(colours: Sequence[str]) -> str:
        return " ".join(f"--c{index}: {colour};" for index, colour in enumerate(colours))

    marks = "".join(
        f".c{index} {{ fill: var(--c{index}); background: var(--c{index}) }} .l{index} {{ stroke: var(--c{index}) }}\n"
        for index in range(len(_LIGHT))
    )
    return _STYLE.replace("LIGHT", variables(_LIGHT)).replace("DARK", variables(_DARK)) + marks
