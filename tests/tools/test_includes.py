"""The include rule: who may see whom. It is the architecture, so it is a test."""
import os
import re
import unittest

SOURCE = os.environ.get("SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)

# Folder -> folders (or single headers) it may include, beside its own.
ALLOWED = {
    "base": [],
    "journal": ["base"],
    "process": ["base"],
    "when": ["base"],
    "runner": ["base", "when"],
    "bindings": ["base", "bindings/binding.h", "process/child.h"],
    "run": ["base", "when", "journal", "process", "runner", "bindings/binding.h"],
    "catalog": ["base", "process", "runner"],
    "report": ["base", "journal"],
    "schedule": ["base", "when", "journal", "process", "runner", "run", "catalog"],
    "cli": ["base", "when", "journal", "process", "runner", "run", "catalog", "report", "schedule", "bindings/binding.h"],
    "main": ["base", "journal", "process", "runner", "run", "catalog", "cli"],
}


def sources():
    """(folder, path) of every C file of the product."""
    for top in ("engine", "bindings"):
        for where, _, names in os.walk(os.path.join(SOURCE, top)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    path = os.path.relpath(os.path.join(where, name), SOURCE)
                    parts = path.split(os.sep)
                    yield ("bindings" if top == "bindings" else parts[1] if len(parts) > 2 else "main"), path


def target(path, header):
    """The file an include names, relative to engine/ or to the root, else None (a generated file)."""
    own = os.path.join(os.path.dirname(path), header)
    for candidate in (own, os.path.join("engine", header), header, os.path.join("bindings", header)):
        if os.path.exists(os.path.join(SOURCE, candidate)):
            return os.path.normpath(candidate)
    return None


def folder_of(path):
    parts = path.split(os.sep)
    if parts[0] == "bindings":
        return "bindings"
    return parts[1] if len(parts) > 2 else "main"


def allowed(folder, path):
    if folder_of(path) == folder:
        return True
    short = path[len("engine/"):] if path.startswith("engine/") else path
    return any(short == one or folder_of(path) == one for one in ALLOWED[folder])


class Includes(unittest.TestCase):
    def test_every_folder_has_a_rule(self):
        self.assertEqual([], sorted({folder for folder, _ in sources()} - set(ALLOWED)))

    def test_nobody_reaches_past_the_rule(self):
        wrong, seen = [], 0
        for folder, path in sources():
            with open(os.path.join(SOURCE, path), encoding="utf-8") as f:
                for header in INCLUDE.findall(f.read()):
                    found = target(path, header)
                    seen += 1
                    if found and not allowed(folder, found):
                        wrong.append(f"{path} includes {found}")
        self.assertGreater(seen, 20, "the includes were not found at all")
        self.assertEqual([], wrong)

    def test_the_rule_refuses(self):
        for folder, path in (("base", "engine/journal/journal.h"), ("bindings", "engine/journal/journal.h"),
                             ("bindings", "engine/process/spawner.h"), ("run", "engine/cli/cli.h"),
                             ("runner", "bindings/binding.h"), ("catalog", "engine/run/run.h"),
                             ("when", "engine/runner/language.h"), ("run", "engine/schedule/store.h"),
                             ("run", "bindings/bind.h")):
            self.assertFalse(allowed(folder, path), f"{folder} must not see {path}")


if __name__ == "__main__":
    unittest.main()
