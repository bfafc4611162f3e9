#!/usr/bin/env python3
"""Draws what a command writes to a terminal as SVG.

Usage: ansi_to_svg.py COMMAND <OUTPUT >PICTURE

OUTPUT may hold the colours that MOrA writes (bold, and the palette of 256 from 16 on); any other code is an error. Every piece of
text is given the width it has in a terminal, so that columns stand below each other in any fixed-width font.
"""

import re
import sys
from html import escape

CELL, LINE, MARGIN, BAR = 8.4, 19, 20, 36
PAPER, INK, FRAME = "#14171a", "#e6e9ec", "#2a3037"
WORDS = re.compile(r"\S+(?: \S+)*")
CODE = re.compile(r"\x1b\[([0-9;]*)m")


def colour(index):
    """The palette's colour from 16 on: a cube of six steps, then greys."""
    if index >= 232:
        return "#" + f"{8 + 10 * (index - 232):02x}" * 3
    steps = [(index - 16) // unit % 6 for unit in (36, 6, 1)]
    return "#" + "".join(f"{55 + 40 * step if step else 0:02x}" for step in steps)


def pieces(line):
    """Texts of a line with the attributes they are drawn with."""
    style, at = "", 0
    for code in [*CODE.finditer(line), None]:
        text = line[at:code.start() if code else None]
        if text:
            yield text, style
        if code is None:
            return
        at = code.end()
        match code.group(1).split(";"):
            case ["0"]:
                style = ""
            case ["1"]:
                style = ' font-weight="bold"'
            case ["38", "5", index]:
                style = f' fill="{colour(int(index))}"'
            case ["1", "38", "5", index]:
                style = f' font-weight="bold" fill="{colour(int(index))}"'
            case other:
                sys.exit(f"the code {other} is not known")


def drawn(line, y):
    """A line of text at a height."""
    column, parts = 0, []
    for text, style in pieces(line):
        for word in WORDS.finditer(text):
            shown, x = word.group(), MARGIN + (column + word.start()) * CELL
            width = f'textLength="{len(shown) * CELL:.1f}" lengthAdjust="spacingAndGlyphs"'
            parts.append(f'<text x="{x:.1f}" y="{y}" {width}{style}>{escape(shown)}</text>')
        column += len(text)
    return "\n".join(parts)


def main(command, output):
    lines = [f"\x1b[1m$ {command}\x1b[0m", *output.rstrip("\n").split("\n")]
    columns = max(len(CODE.sub("", line)) for line in lines)
    width, height = columns * CELL + 2 * MARGIN, len(lines) * LINE + BAR + MARGIN
    dots = "".join(f'<circle cx="{MARGIN + 18 * i}" cy="18" r="5.5" fill="{FRAME}"/>' for i in range(3))
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}" role="img"')
    print(f'  aria-label="{escape(command)} in a terminal" font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace"')
    print(f'  font-size="14" fill="{INK}" xml:space="preserve">')
    print(f'<rect width="100%" height="100%" rx="10" fill="{PAPER}"/>{dots}')
    for number, line in enumerate(lines):
        text = drawn(line, BAR + LINE * (number + 1) - 5)
        if text:
            print(text)
    print("</svg>")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.stdin.read())
