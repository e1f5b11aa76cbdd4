#!/usr/bin/env python3
"""Writes the reference of a scenario's fields in docs/scenarios.md, between its two marks, from scenarios/schema.json.

    python3 scripts/reference.py            rewrites it
    python3 scripts/reference.py --check    writes nothing; exit code 1 if it is not up to date

The schema is made from the types (`loadcmp schema`), so nothing of this part is written by hand.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "scenarios" / "schema.json"
PAGE = ROOT / "docs" / "scenarios.md"
BEGIN, END = "<!-- scenario: begin -->", "<!-- scenario: end -->"

TYPES = ["string", "integer", "number", "boolean"]
# Scalars that have their own form: what a cell of the table calls them. Their forms are listed at the end.
SCALARS = {
    "Span": "time",
    "Length": "time or `auto`",
    "Rate": "number or `auto`",
    "Share": "share",
    "Secret": "secret",
    "DataPath": "path",
    "Think": "reasoning",
}
# One entry per rule of the audit: docs/fairness.md lists them.
AUDIT = "AuditSpec"


class Reference:
    def __init__(self, schema):
        self.schema = schema
        self.lines = []
        self.paths = {}  # every path of what has a section
        self.written = set()
        self.headings = {}

    def resolve(self, node):
        """The schema that a field has, and the name of its definition."""
        name = None
        while True:
            inner = node.get("allOf") or [part for part in node.get("anyOf", []) if part.get("type") != "null"]
            if "$ref" in node:
                name = node["$ref"].rsplit("/", 1)[-1]
                node = self.schema["definitions"][name]
            elif len(inner) == 1:
                node = inner[0]
            else:
                return node, name

    def variants(self, node):
        """The values, or the one-key maps, of which a union is one."""
        return node.get("oneOf", [])

    def has_section(self, node, name):
        if name in SCALARS:
            return False
        return bool(node.get("properties")) or any("const" not in part for part in self.variants(node))

    def key(self, node, name):
        return name or json.dumps({k: v for k, v in node.items() if k != "description"}, sort_keys=True)

    def link(self, node, name, path, below):
        """A link to the section of an object, which follows if there is none yet."""
        key = self.key(node, name)
        paths = self.paths.setdefault(key, [])
        if path not in paths:
            paths.append(path)
        heading = self.headings.get(key, path)
        if key not in self.written:
            self.written.add(key)
            below.append((heading, node, name))
        return f"[`{heading}`](#{anchor(heading)})"

    def type_of(self, node, path, below):
        node, name = self.resolve(node)
        if name in SCALARS:
            return f"[{SCALARS[name]}](#forms)"
        if self.has_section(node, name):
            return self.link(node, name, path, below)
        if self.variants(node):
            return "string"
        kinds = node.get("type", "any")
        kinds = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
        if kinds == ["array"]:
            inner = node.get("items")
            return "list of " + (self.type_of(inner, path + "[]", below) if isinstance(inner, dict) else "values")
        if kinds == ["object"]:
            inner = node.get("additionalProperties")
            if isinstance(inner, dict):
                return "map of names to " + self.type_of(inner, path + ".NAME", below)
            return "map"
        return " or ".join(kind if kind in TYPES else "any YAML" for kind in kinds)

    def allowed(self, node):
        node, name = self.resolve(node)
        if name in ("Span", "Length", "Share", "Secret", "DataPath") or self.has_section(node, name):
            return ""
        words = [f"`{part['const']}`" for part in self.variants(node) if "const" in part]
        if words:
            return ", ".join(words)
        pattern = re.fullmatch(r"\^\(([a-z_|]+)\)\$", node.get("pattern", ""))
        if pattern:
            return ", ".join(f"`{word}`" for word in pattern[1].split("|"))
        if isinstance(node.get("items"), dict):
            least = f"{node['minItems']} or more" if "minItems" in node else ""
            inner = self.allowed(node["items"])
            return "; ".join(part for part in (least, inner) if part)
        low, high = node.get("minimum"), node.get("maximum")
        if low is not None and high is not None:
            return f"{number(low)} to {number(high)}"
        if low is not None:
            return f"{number(low)} or more" if low else ""
        return f"{number(high)} at most" if high is not None else ""

    def meanings(self, field, node):
        """What each word of a list stands for, where the schema explains it."""
        node, name = self.resolve(node)
        words = [part for part in self.variants(node) if "const" in part]
        if not words or self.has_section(node, name) or all(text(part) == part["const"] for part in words):
            return
        self.lines += ["", f"`{field}`:", ""]
        self.lines += [f"- `{part['const']}`: {text(part)}" for part in words]

    def section(self, path, node, name, depth):
        heading = "#" * min(depth, 6)
        self.lines += ["", f"{heading} `{path}`", ""]
        # What is written in the place itself has its field's description.
        about = text(node) if name else node.get("title", "").capitalize()
        if about:
            self.lines += [about if about.endswith((".", ":")) else about + ".", ""]
        below = []
        if name == AUDIT:
            self.lines += [
                f"Each key is the id of one of the {len(node['properties'])} rules in [fairness.md](fairness.md), which has their",
                "defaults. Its value is `off`, a severity (`note`, `warning`, `invalid`), a threshold, or both: `warning 20%`.",
            ]
            return
        if node.get("properties"):
            if {"integer", "number"} & set(node["type"]) and node["type"] != "object":
                self.lines += [f"Or a number alone: {number(node['minimum'])} to {number(node['maximum'])}.", ""]
            self.fields(path, node, below)
        else:
            self.union(path, node, below)
        for part in below:
            self.section(*part, depth + 1)

    def fields(self, path, node, below):
        self.lines += ["| field | type | default | allowed | |", "|:--|:--|:--|:--|:--|"]
        required = node.get("required", [])
        prefix = "" if path == "scenario" else path + "."
        for field, given in node["properties"].items():
            inner, _ = self.resolve(given)
            if field in required:
                default = "required"
            else:
                default = value(given.get("default", inner.get("default")))
            about = text(given) or text(inner)
            row = [f"`{field}`", self.type_of(given, prefix + field, below), default, self.allowed(given), about]
            self.lines.append("| " + " | ".join(cell(part) for part in row) + " |")
        for field, given in node["properties"].items():
            self.meanings(field, given)

    def union(self, path, node, below):
        self.lines += ["One of:", "", "| written | allowed | |", "|:--|:--|:--|"]
        for part in self.variants(node):
            if "const" in part:
                row = [f"`{part['const']}`", "", text(part)]
            elif part.get("properties"):
                (key, given), = part["properties"].items()
                row = [f"`{key}:` " + self.type_of(given, f"{path}.{key}", below), self.allowed(given), text(part) or text(given)]
            else:
                row = [self.type_of(part, path, below), self.allowed(part), text(part)]
            self.lines.append("| " + " | ".join(cell(part) for part in row) + " |")

    def forms(self):
        self.lines += ["", "### Forms", "", "| called | written |", "|:--|:--|"]
        forms = {
            "time": text(self.schema["definitions"]["Span"]),
            "time or `auto`": text(self.schema["definitions"]["Length"]),
            "number or `auto`": text(self.schema["definitions"]["Rate"]),
            "share": text(self.schema["definitions"]["Share"]),
            "secret": "`${NAME}` or `${file:PATH}`: [secrets.md](secrets.md)",
            "path": text(self.schema["definitions"]["DataPath"]),
            "reasoning": "`off`, `on`, `low`, `medium`, `high`: [targets.md](targets.md#reasoning)",
        }
        self.lines += [f"| {name} | {cell(form)} |" for name, form in forms.items()]

    def made(self):
        # Twice: what is used in several places gets a heading that fits them all.
        for _ in range(2):
            self.headings = {key: common(paths) for key, paths in self.paths.items()}
            self.lines, self.written = [], set()
            self.section("scenario", self.schema, "scenario", 3)
        self.forms()
        return "\n".join(self.lines).strip() + "\n"


def common(paths):
    """One heading for several paths: `*` where they differ."""
    steps = [path.split(".") for path in paths]
    if len({len(each) for each in steps}) > 1 or len({each[-1] for each in steps}) > 1:
        return paths[0]
    return ".".join(each[0] if len(set(each)) == 1 else "*" for each in zip(*steps))


def anchor(path):
    return re.sub(r"[^a-z0-9 _-]", "", path.lower()).replace(" ", "-")


def text(node):
    return " ".join(node.get("description", "").split())


def cell(written):
    return written.replace("|", "\\|")


def number(given):
    return f"{int(given):,}" if given == int(given) else f"{given:g}"


def value(given):
    if given is None or isinstance(given, dict):
        return ""
    if isinstance(given, float):
        given = number(given)
    return f"`{given if isinstance(given, str) else json.dumps(given)}`"


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    page = PAGE.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        sys.exit(f"{PAGE.relative_to(ROOT)}: needs one line {BEGIN} and one line {END}")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    made = f"{before}{BEGIN}\n\n{Reference(schema).made()}\n{END}{after}"
    if made == page:
        return
    if sys.argv[1:] == ["--check"]:
        sys.exit("docs/scenarios.md is not what scenarios/schema.json makes; run: python3 scripts/reference.py")
    PAGE.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
