"""Functions that the product's C never calls, and why; a comment or a text may name them."""
import os
import re
import unittest

from test_includes import SOURCE, sources

BANNED = {
    "strcpy": "no bound", "strcat": "no bound", "sprintf": "no bound", "gets": "no bound",
    "strtok": "hidden state", "atoi": "no error", "atol": "no error", "atof": "no error",
    "system": "a shell", "popen": "a shell", "signal": "use sigaction", "alarm": "hidden state",
    "sleep": "blocks without a deadline", "usleep": "blocks without a deadline",
    "localtime": "hidden state", "gmtime": "hidden state", "strerror": "hidden state",
    "setenv": "not safe with threads", "putenv": "not safe with threads", "rand": "not random", "srand": "not random",
    "assert": "RB_REQUIRE or an error", "exit": "only main.c",
}
MAY = {("engine/main.c", "exit")}
CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED))


def code_only(text):
    """Comments and string literals become blanks; lines stay where they are."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)


def calls(path, text):
    for number, line in enumerate(code_only(text).splitlines(), 1):
        for match in CALL.finditer(line):
            if (path, match.group(1)) not in MAY:
                yield f"{path}:{number}: {match.group(1)} ({BANNED[match.group(1)]})"


class Banned(unittest.TestCase):
    def test_nothing_banned_is_called(self):
        wrong, files = [], 0
        for _, path in sources():
            files += 1
            with open(os.path.join(SOURCE, path), encoding="utf-8") as f:
                wrong += calls(path, f.read())
        self.assertGreater(files, 20, "the sources were not found")
        self.assertEqual([], wrong)

    def test_the_search_sees_a_call_and_only_a_call(self):
        self.assertEqual(2, len(list(calls("x.c", "strcpy(a, b);\n  exit(1);"))))
        self.assertEqual([], list(calls("x.c", '/* strcpy(a) */ "exit(1)"; my_exit(1); p->exit(2); _exit(3);')))


if __name__ == "__main__":
    unittest.main()
