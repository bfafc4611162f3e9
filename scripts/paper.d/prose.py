"""Finds numbers that were typed into the text of the paper instead of being inserted from data.

Text is told from code by a small reader of Typst's syntax: comments, raw text, mathematics, code after a hash, and text in
brackets within code. Only what the sections of the paper use is known.
"""

import re

NUMBER = re.compile(r"[\w.\-/%]*\d[\w.\-/%]*")
# A quantity in words is a number too: "twice as many", "half of its", "three times fewer".
WORDS = re.compile(
    r"\b(two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|forty|fifty|hundred|thousand|half|third|quarter)\b"
    r"(\s+\w+){0,2}\s+(percent|times|fewer|less|cheaper|faster|lower|higher)\b|\b(twice|double[ds]?|halve[ds]?)\b"
)
STATEMENTS = {"let", "import", "include", "set", "show", "if", "for", "return"}
# Where a number in code is one of form: how many digits are shown.
FORM = re.compile(r"\bdigits:\s*$")


class Reader:
    """Goes through one file; `found` has (line, what) of each number that has no source."""

    def __init__(self, text, allowed, numbers_in_code=False):
        self.text, self.allowed, self.numbers_in_code = text, allowed, numbers_in_code
        self.at, self.found, self.prose = 0, [], [""]

    def line(self, at=None):
        return self.text.count("\n", 0, self.at if at is None else at) + 1

    def rest(self):
        return self.text[self.at :]

    def skip(self, pattern):
        """Goes past `pattern` if it is next; whether it was."""
        match = re.compile(pattern, re.S).match(self.text, self.at)
        if match:
            self.at = match.end()
        return bool(match)

    def refuse(self, what, at):
        self.found.append((self.line(at), what))

    def judge(self, text, at):
        """Notes the numbers of a piece of text that begins at `at`."""
        for match in NUMBER.finditer(text):
            word = match.group().strip(".-/%")
            if word not in self.allowed:
                self.refuse(match.group(), at + match.start())
        for match in WORDS.finditer(text):
            if match.group() not in self.allowed:
                self.refuse(match.group(), at + match.start())

    def markup(self, until=None):
        """Reads text up to `until`, or the end."""
        start, depth = self.at, 0

        def flush():
            self.judge(self.text[start : self.at], start)

        while self.at < len(self.text):
            char = self.text[self.at]
            if char == until and depth == 0:
                flush()
                self.at += 1
                return
            if char in "[]":
                depth += 1 if char == "[" else -1
                self.at += 1
                continue
            special = (
                char in "#$`@\\<" or re.match(r"(?<!:)//|/\*", self.rest()) and self.text[self.at - 1 : self.at] != ":"
            )
            if not special:
                self.at += 1
                continue
            flush()
            self.special(char)
            start = self.at
        flush()

    def special(self, char):
        if char == "#":
            self.at += 1
            self.code()
        elif char == "$":
            self.mathematics()
        elif char == "`":
            self.raw()
        elif char == "\\":
            self.skip(r"\\u\{[0-9a-f]+\}") or self.skip(r"\\.")
        elif not (self.skip(r"@[\w:.\-]*[\w]") or self.skip(r"<[\w:.\-]+>") or self.skip(r"//[^\n]*") or self.skip(r"/\*.*?\*/")):
            self.at += 1

    def raw(self):
        ticks = re.match(r"`+", self.rest()).group()
        end = self.text.find(ticks, self.at + len(ticks))
        end = len(self.text) if end < 0 else end
        if len(ticks) < 3:
            self.judge(self.text[self.at + len(ticks) : end], self.at + len(ticks))
        self.at = end + len(ticks)

    def mathematics(self):
        end = self.text.find("$", self.at + 1)
        end = len(self.text) if end < 0 else end
        for match in re.finditer(r"#(\w+)\(([^()]*)\)|(\d[\d.]*)", self.text[self.at + 1 : end]):
            # Exponents and halves are part of a formula; a measured value is longer, or stands behind a sign.
            if match.group(3) and len(match.group(3)) > 1:
                self.refuse(match.group(3), self.at + 1 + match.start())
        self.at = end + 1

    def code(self):
        word = re.match(r"[A-Za-z_][\w\-]*", self.rest())
        if word and word.group() in STATEMENTS:
            self.expression(lambda: self.rest().startswith("\n"))
            return
        if word:
            self.at += len(word.group())
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in "({":
                self.group({"(": ")", "{": "}"}[char])
            elif char == "[":
                self.at += 1
                self.markup("]")
            elif not self.skip(r"\.[A-Za-z_][\w\-]*"):
                return

    def group(self, closing):
        self.at += 1
        self.expression(lambda: self.text[self.at] == closing)
        self.at += 1

    def expression(self, ends):
        """Reads code until `ends`."""
        while self.at < len(self.text) and not ends():
            char = self.text[self.at]
            if char in "({":
                self.group({"(": ")", "{": "}"}[char])
            elif char == "[":
                self.at += 1
                self.markup("]")
            elif char == '"':
                self.string()
            elif char == "$":
                self.mathematics()
            elif char == "`":
                self.raw()
            elif not (self.skip(r"//[^\n]*") or self.skip(r"[A-Za-z_][\w\-]*") or self.number()):
                self.at += 1

    def number(self):
        match = re.match(r"\d[\w.%]*", self.rest())
        if not match:
            return False
        if not self.numbers_in_code and not FORM.search(self.text[: self.at]):
            self.refuse(match.group(), self.at)
        self.at += len(match.group())
        return True

    def string(self):
        match = re.match(r'"((?:\\.|[^"\\])*)"', self.rest(), re.S)
        if not match:
            self.at += 1
            return
        # A key of the data, a label or the name of an arm is no text.
        if not re.fullmatch(r"[\w.:\-/+*^()?\[\]|$\\{}]*", match.group(1)):
            self.judge(re.sub(r"\\u\{[0-9a-f]+\}", lambda found: " " * len(found.group()), match.group(1)), self.at + 1)
        self.at += len(match.group())


def numbers(text, allowed, numbers_in_code=False):
    """The numbers in `text` that have no source, as (line, what)."""
    reader = Reader(text, allowed, numbers_in_code)
    reader.markup()
    return sorted(reader.found)


def allowed(text):
    """The words of the list of numbers that may be typed; what follows a hash is the reason."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return {line for line in lines if line}
