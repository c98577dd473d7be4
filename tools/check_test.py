# SPDX-License-Identifier: Apache-2.0
"""Every check of tools/check.py can fail, and does not when it should not.

Each case writes a small tree that breaks one rule, and looks that the check names exactly the place
where; beside it stands a tree that keeps the rule.
"""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import check

OPENING = "/* SPDX-License-Identifier: Apache-2.0\n *\n * For tests.\n */\n"
LONG_BODY = "  int unused = 0;\n" * 70
MODULE = "ap_module(%s DEPENDS base store)\n"


def tree_of(root, files):
    """A Tree of these files, whose build folder is root/out."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return check.Tree(root, root / "out")


def places(name, root, files):
    """Where check `name` complains: 'file:line' of each complaint."""
    found = check.CHECKS[name](tree_of(root, files))
    return [":".join(fault.split(":")[:2]) for fault in found]


BROKEN = [
    ("includes", {"src/base/a.c": '#include "port/clock.h"\n'}, "src/base/a.c:1"),
    (
        "includes",
        {
            "src/plan/CMakeLists.txt": MODULE % "plan",
            "src/plan/a.c": '\n#include "store/store.h"\n',
        },
        "src/plan/a.c:2",
    ),
    (
        "includes",
        {"src/cell/CMakeLists.txt": MODULE % "cell", "src/cell/a.c": '#include "port/clock.h"\n'},
        "src/cell/a.c:1",
    ),
    ("includes", {"src/cell/a.c": '#include "testing/check.h"\n'}, "src/cell/a.c:1"),
    ("includes", {"src/plan/a.c": "#include <duckdb.h>\n"}, "src/plan/a.c:1"),
    ("includes", {"cmd/a.c": '#include "base/text.h"\n'}, "cmd/a.c:1"),
    ("includes", {"python/ext/a.c": "#include <duckdb.h>\n"}, "python/ext/a.c:1"),
    ("includes", {"include/apiary/a.h": '#include "base/text.h"\n'}, "include/apiary/a.h:1"),
    (
        "includes",
        {"src/base/a.h": "", "src/base/a.c": '#include <stdio.h>\n#include "base/a.h"\n'},
        "src/base/a.c:1",
    ),
    ("headers", {"src/base/a.h": "size_t a_size(void);\n"}, "src/base/a.h:1"),
    ("headers", {"include/apiary/a.h": "int a(int class);\n"}, "include/apiary/a.h:1"),
    ("sizes", {"a.c": "\nint f(void) {\n" + LONG_BODY + "}\n"}, "a.c:2"),
    ("sizes", {"a.h": 'extern "C" {\nint f(void) {\n' + LONG_BODY + "}\n}\n"}, "a.h:2"),
    ("sizes", {"a.py": "def f():\n" + "    pass\n" * 70}, "a.py:1"),
    ("sizes", {"a.c": "\n" * 1001}, "a.c:1002"),
    ("sizes", {"a.c": "\n/* " + "x" * 98 + " */\n"}, "a.c:2"),
    (
        "format",
        {"src/base/a.c": "int  f(void);\n", ".clang-format": "BasedOnStyle: Google\n"},
        "src/base/a.c:1",
    ),
    ("calls", {"src/base/a.c": "\nvoid f(char *s) { strcpy(s, s); }\n"}, "src/base/a.c:2"),
    ("calls", {"cmd/a.c": "int f(void) { return system(0); }\n"}, "cmd/a.c:1"),
    ("calls", {"src/store/a.c": "void *f(void) { return malloc(1); }\n"}, "src/store/a.c:1"),
    ("calls", {"src/store/a.c": "void f(void) { (void)time(0); }\n"}, "src/store/a.c:1"),
    ("licence", {"src/base/a.c": "int f(void);\n"}, "src/base/a.c:1"),
    ("licence", {"tools/a.py": "x = 1\n"}, "tools/a.py:1"),
    ("licence", {"tools/a": "#!/bin/sh\ntrue\n"}, "tools/a:1"),
    (
        "licence",
        {"src/base/a.c": "/* SPDX-License-Identifier: Apache-2.0 */\nint f(void);\n"},
        "src/base/a.c:2",
    ),
    ("marks", {"src/base/a.c": "\n/* TO" + "DO: later */\n"}, "src/base/a.c:2"),
    ("marks", {"docs/a.md": "this is a stu" + "b\n"}, "docs/a.md:1"),
    ("paths", {"tools/a.sh": "cd /wo" + "rk/main\n"}, "tools/a.sh:1"),
    ("paths", {"a.txt": "\nhttps://registry" + ".npmjs.org/x\n"}, "a.txt:2"),
    ("ruff", {"python/a.py": "import os\n"}, "python/a.py:1"),
    ("ruff_format", {"python/a.py": "x=1\n"}, "python/a.py:1"),
    ("types", {"python/src/p/__init__.py": 'x: int = ""\n'}, "python/src/p/__init__.py:1"),
]

SOUND = {
    ".clang-format": "BasedOnStyle: Google\n",
    "CMakeLists.txt": "",
    "src/store/CMakeLists.txt": MODULE % "store",
    "include/apiary/a.h": OPENING + "int f(void);\n",
    "src/store/a.h": OPENING + "#include <stddef.h>\nsize_t a_size(void);\n",
    "src/store/a.c": OPENING
    + '#include "store/a.h"\n\n#include "base/text.h"\n\n'
    + '/* strcpy(a, b) and malloc(1) in a comment, "time(0)" in a string: no calls. */\n'
    + 'static const char text[] = "free(x) { ";\n'
    + "size_t a_size(void) { return sizeof(text); }\n",
    "src/store/a_test.c": OPENING + '#include "testing/check.h"\n',
    "cmd/main.c": OPENING + "#include <apiary/a.h>\n#include <stdio.h>\n",
    "python/src/p/__init__.py": '# SPDX-License-Identifier: Apache-2.0\n"""For tests."""\n\n'
    "x: int = 1\n",
}


@pytest.mark.parametrize(("name", "files", "place"), BROKEN)
def test_a_broken_rule_is_found_at_its_place(tmp_path, name, files, place):
    assert places(name, tmp_path, files) == [place]


@pytest.mark.parametrize("name", sorted(set(check.CHECKS) - {"globals", "exports"}))
def test_a_sound_tree_passes(tmp_path, name):
    assert list(check.CHECKS[name](tree_of(tmp_path, SOUND))) == []


def test_every_check_is_tried_here():
    assert {name for name, _, _ in BROKEN} | {"globals", "exports"} == set(check.CHECKS)


def compiled(root, source, *flags):
    """Compile src/base/a.c to where the build would put its object."""
    tree = tree_of(root, {"src/base/a.c": source})
    out = root / "out" / "src" / "base" / "CMakeFiles" / "ap_base.dir" / "a.c.o"
    out.parent.mkdir(parents=True)
    command = ["gcc", "-fPIC", *flags, "-c", str(root / "src" / "base" / "a.c"), "-o", str(out)]
    subprocess.run(command, check=True)
    return tree


@pytest.mark.parametrize(
    "line",
    [
        "int counter;",
        "static int counter = 3; int *f(void) { return &counter; }",
        "int f(void) { static int counter; return counter++; }",
        "_Thread_local int counter;",
    ],
)
def test_a_mutable_global_is_found(tmp_path, line):
    found = check.check_globals(compiled(tmp_path, "\n" + line + "\n"))
    assert found == ["src/base/a.c:2: mutable global 'counter'"]


def test_constant_tables_are_no_mutable_globals(tmp_path):
    source = 'static const char *const names[] = {"a", "b"};\n'
    source += "const char *const *f(void) { return names; }\nconst int five = 5;\n"
    assert check.check_globals(compiled(tmp_path, source)) == []


def test_globals_without_a_build_are_a_fault(tmp_path):
    tree = tree_of(tmp_path, {"src/base/a.c": "int f(void);\n"})
    assert "build first" in check.check_globals(tree)[0]


def exports(root, header, source):
    tree = tree_of(root, {"include/apiary/a.h": header, "a.c": source})
    library = root / "out" / "src" / "libapiary.so"
    library.parent.mkdir(parents=True)
    command = ["gcc", "-shared", "-fPIC", "-fvisibility=hidden", "-nostartfiles"]
    subprocess.run([*command, "-o", str(library), str(root / "a.c")], check=True)
    return check.check_exports(tree)


SEEN = '__attribute__((visibility("default"))) '
HEADER = "#define AP_API\n/* AP_API int ap_comment(void); */\nAP_API AP_MUST int\nap_a(int x);\n"


def test_exports_equal_to_declarations_pass(tmp_path):
    assert exports(tmp_path, HEADER, SEEN + "int ap_a(int x) { return x; }\n") == []


def test_a_declared_function_that_is_not_exported_is_found(tmp_path):
    found = exports(tmp_path, HEADER, "int ap_a(int x) { return x; }\n")
    assert found == ["include/apiary/a.h:3: ap_a is declared AP_API but not exported"]


def test_an_undeclared_export_is_found(tmp_path):
    source = SEEN + "int ap_a(int x) { return x; }\n" + SEEN + "int ap_b(void) { return 1; }\n"
    found = exports(tmp_path, HEADER, source)
    assert found == ["libapiary.so: exports ap_b, which no header declares"]


def test_the_command_fails_and_reports(tmp_path):
    tree_of(tmp_path, {"src/base/a.c": "int f(void);\n"})
    report = tmp_path / "report.json"
    arguments = ["licence", "sizes", "--root", str(tmp_path), "--json", str(report)]
    assert check.main(arguments) == 1
    assert report.read_text(encoding="utf-8").split() == [
        "{",
        '"licence":',
        "1,",
        '"sizes":',
        "0",
        "}",
    ]
