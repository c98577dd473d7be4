#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check that the tree keeps the rules of the house.

    tools/check.py [check ...] [--root DIR] [--build DIR] [--json FILE] [--list]

Each check is a function of a Tree that gives the places where its rule is broken, as
"file:line: what". Exit status 0 only when there is none. The rules themselves stand in the tables
below; there is no list of tolerated places. Standard library only; the programs it calls are the
compiler, nm, clang-format, ruff and mypy.
"""

import argparse
import ast
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

# The order of dependence: a module may include those before it.
MODULES = (
    "base port arrow store cell ledger catalog engine plan swarm execute shelf ingest window api "
    "serve testing"
).split()
# What a module may not include although it stands before it.
NEVER = {"plan": {"port", "store"}}
# Modules and folders that use the public headers only.
PUBLIC_ONLY = ("src/serve", "cmd", "examples", "python")
# Headers with one including module, so that what they bring stays replaceable.
SOLE_INCLUDER = {"duckdb.h": "engine", "nanoarrow/nanoarrow_ipc.h": "arrow"}

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 1000
LINE_COLUMNS_MAX = 100

BANNED = set(
    "strcpy strcat sprintf vsprintf gets strtok alloca atoi atol atoll atof system popen".split()
)
HEAP = set("malloc calloc realloc free reallocarray strdup strndup asprintf vasprintf".split())
HEAP_FILE = "src/base/alloc.c"
# Time, randomness, files, threads and processes: only port/ calls these.
PORT_CALLS = set(
    "fopen freopen open openat creat mkdir mkdirat rename renameat unlink unlinkat fsync fdatasync "
    "opendir readdir mkstemp mkdtemp time clock_gettime gettimeofday localtime localtime_r "
    "nanosleep usleep sleep rand rand_r srand random srandom getrandom arc4random getentropy "
    "pthread_create pthread_join pthread_mutex_init pthread_mutex_lock pthread_cond_wait "
    "pthread_cond_timedwait pthread_rwlock_rdlock fork execv execve execvp posix_spawn socket mmap "
    "memfd_create".split()
)
# Objects that must change although they live as long as the process: "file: symbol" -> why.
GLOBALS_ALLOWED = {}

MARKS = re.compile(
    r"\b(%s)\b|(?i:\b(%s)\b)"
    % (
        "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "NotImplemented" + "Error"]),
        "|".join(["stu" + "b", "place" + "holder", "not (?:yet )?imple" + "mented"]),
    )
)
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|farm|root)/|/tmp/(?:bash_|dl\b|help\b)")
REGISTRY = re.compile(
    r"https?://[^/\s)\"'>]*(?:registry\.|index\.|proxy\.|repo1?\.|static\.|pypi\.|npmjs|"
    r"pythonhosted|maven\.)[^\s)\"'>]*"
)

C_SOURCE = (".c", ".h")
LICENSED = (".c", ".h", ".py", ".pyi", ".sh")
LICENCE = "SPDX-License-Identifier: Apache-2.0"
WIDTH_CHECKED = (".c", ".h", ".cpp", ".py", ".pyi", ".sh", ".cmake", "CMakeLists.txt", "Makefile")
SKIPPED_FOLDERS = {"build", ".venv", ".git", "dist", "__pycache__", ".ruff_cache", ".mypy_cache"}


def blanked(text):
    """C with comments, strings and character constants blanked; lines and columns stay."""
    pattern = re.compile(
        r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL
    )
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


class Tree:
    """The files under check, each read once."""

    def __init__(self, root, build=None):
        self.root = Path(root)
        self.build = Path(build) if build else self.root / "build" / "dev"
        self.names = self._names()
        self._texts = {}

    def _names(self):
        if (self.root / ".git").exists():
            command = ["git", "ls-files", "-z", "-co", "--exclude-standard"]
            done = subprocess.run(command, cwd=str(self.root), stdout=subprocess.PIPE, check=True)
            found = set(done.stdout.decode().split("\0")) - {""}
            return sorted(name for name in found if (self.root / name).is_file())
        found = []
        for folder, folders, files in os.walk(str(self.root)):
            folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
            found += [os.path.relpath(os.path.join(folder, name), str(self.root)) for name in files]
        return sorted(found)

    def matching(self, endings, under=()):
        return [
            name
            for name in self.names
            if name.endswith(tuple(endings)) and (not under or name.split("/")[0] in under)
        ]

    def text(self, name):
        """The text of a file; None for bytes that are no text."""
        if name not in self._texts:
            try:
                self._texts[name] = (self.root / name).read_text(encoding="utf-8")
            except (UnicodeDecodeError, OSError):
                self._texts[name] = None
        return self._texts[name]

    def lines(self, name):
        return (self.text(name) or "").split("\n")


def module_of(name):
    """ "store" for "src/store/local.c"; None outside src/."""
    parts = name.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def is_test(name):
    return name.endswith("_test.c") or module_of(name) == "testing"


def line_of(text, place):
    return text.count("\n", 0, place) + 1


def run(command, root):
    """(status, stdout and stderr together) of a program; status 127 where it is absent."""
    try:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=str(root),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except OSError as error:
        return 127, "%s: %s" % (command[0], error)
    return done.returncode, done.stdout


# ------------------------------------------------------------------------------------- includes


def includes_of(tree, name):
    """(line, '<' or '"', what) of each include."""
    for number, line in enumerate(tree.lines(name), 1):
        match = re.match(r"\s*#\s*include\s*([<\"])([^>\"]+)[>\"]", line)
        if match:
            yield number, match.group(1), match.group(2)


def declared_dependencies(tree):
    """module -> the modules its CMakeLists.txt lists after DEPENDS, and itself."""
    found = {}
    for name in tree.matching(["CMakeLists.txt"], ["src"]):
        match = re.search(r"ap_module\(\s*(\w+)([^)]*)\)", tree.text(name))
        if match:
            depends = re.search(r"DEPENDS\s+([a-z_\s]*)", match.group(2))
            found[match.group(1)] = set(depends.group(1).split() if depends else ()) | {
                match.group(1)
            }
    return found


def include_fault(name, module, target, dependencies):
    """Why a file of `module` may not include a header of module `target`; None where it may."""
    if target == "testing" and not is_test(name):
        return "the product includes testing/"
    if is_test(name):
        return None
    if target in NEVER.get(module, ()):
        return "%s never includes %s" % (module, target)
    if module in MODULES and MODULES.index(target) > MODULES.index(module):
        return "%s stands after %s in the order of dependence" % (target, module)
    if target not in dependencies.get(module, {target}):
        return "%s is not among the DEPENDS of src/%s/CMakeLists.txt" % (target, module)
    return None


def public_include_fault(tree, name, kind, what):
    """Why a file outside src/ may not include `what`; it uses <apiary/...> and its neighbours."""
    if what.split("/")[0] in MODULES or what in SOLE_INCLUDER:
        return "only <apiary/...> and its own headers may be included here"
    top = next(folder for folder in PUBLIC_ONLY if name.startswith(folder + "/"))
    own = {Path(other).name for other in tree.matching([".h"]) if other.startswith(top + "/")}
    if kind == '"' and not what.startswith("apiary/") and Path(what).name not in own:
        return '"%s" is no header of %s/' % (what, top)
    return None


def check_includes(tree):
    """modules include only those above them, and own headers first"""
    dependencies = declared_dependencies(tree)
    for name in tree.matching(C_SOURCE):
        module = module_of(name)
        found = list(includes_of(tree, name))
        public = name.startswith(tuple(folder + "/" for folder in PUBLIC_ONLY))
        for number, kind, what in found:
            fault = None
            target = what.split("/")[0]
            sole = SOLE_INCLUDER.get(what)
            if sole and module != sole:
                fault = "only %s includes %s" % (sole, what)
            elif public:
                fault = public_include_fault(tree, name, kind, what)
            elif name.startswith("include/") and target in MODULES:
                fault = "a public header includes an internal one"
            elif module and "/" in what and target in MODULES:
                fault = include_fault(name, module, target, dependencies)
            if fault:
                yield "%s:%d: %s" % (name, number, fault)
        own = name[len("src/") : -1] + "h"
        has_header = module and name.endswith(".c") and "src/" + own in tree.names
        if has_header and (not found or found[0][2] != own):
            line = found[0][0] if found else 1
            yield '%s:%d: its own header "%s" must be included first' % (name, line, own)


# -------------------------------------------------------------------------------------- headers


def include_flags(tree):
    dependencies = tree.root / "build" / "deps"
    duckdb = os.environ.get("DUCKDB_ROOT") or dependencies / "duckdb"
    folders = [tree.build / "nanoarrow", dependencies / "nanoarrow" / "src", duckdb]
    flags = ["-I", tree.root / "include", "-I", tree.root / "src"]
    return flags + [word for folder in folders for word in ("-isystem", folder)]


def closure(tree, name, seen):
    """All repository headers that a header brings with it, itself included."""
    if name in seen:
        return
    seen.add(name)
    for _, _, what in includes_of(tree, name):
        for place in ("src/" + what, "include/" + what):
            if place in tree.names:
                closure(tree, place, seen)


def header_fault(tree, cache, name, language):
    """The compiler's first complaint about a header compiled alone; "" where there is none."""
    compiler, standard = {"c": ("gcc", "-std=c17"), "c++": ("g++", "-std=c++17")}[language]
    own = name.partition("/")[2]
    names = set()
    closure(tree, name, names)
    digest = hashlib.sha256(("%s %s %s" % (name, language, standard)).encode())
    for other in sorted(names):
        digest.update((tree.text(other) or "").encode())
    stamp = cache / digest.hexdigest()
    if stamp.exists():
        return ""
    source = cache / (digest.hexdigest() + "." + {"c": "c", "c++": "cc"}[language])
    source.write_text('#include "%s"\n' % own, encoding="utf-8")
    strict = "-Wall -Wextra -Werror -fsyntax-only -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE"
    status, output = run(
        [compiler, standard] + strict.split() + include_flags(tree) + [source], tree.root
    )
    source.unlink()
    if status == 0:
        stamp.write_text("", encoding="utf-8")
        return ""
    complaint = re.search(r"^.*error:.*$", output, re.MULTILINE)
    return "%s:1: does not compile alone as %s: %s" % (
        name,
        standard[5:],
        (complaint.group() if complaint else output.strip()[:200]),
    )


def check_headers(tree):
    """every header compiles alone as C17, the public ones also as C++17"""
    cache = tree.root / "build" / "check" / "headers"
    cache.mkdir(parents=True, exist_ok=True)
    work = [(name, "c") for name in tree.matching([".h"], ["include", "src"])]
    work += [(name, "c++") for name in tree.matching([".h"], ["include"])]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        faults = list(pool.map(lambda item: header_fault(tree, cache, *item), work))
    return [fault for fault in faults if fault]


# ---------------------------------------------------------------------------------------- sizes


def c_functions(text):
    """(name, first line, last line) of each function definition."""
    code = re.sub(
        r"^[ \t]*#.*(?:\\\n.*)*",
        lambda m: "\n" * m.group().count("\n"),
        blanked(text),
        flags=re.MULTILINE,
    )
    depth, start, opened = 0, 0, None
    for match in re.finditer(r"[{};]", code):
        mark, place = match.group(), match.start()
        if mark == "{":
            head = code[start:place]
            if depth == 0 and re.search(r"extern\s*$", head):
                start = place + 1  # extern "C" (the string is blanked): its inside is outermost
                continue
            if depth == 0:
                opened = (head, start) if "(" in head and "=" not in head else None
            depth += 1
        elif mark == "}":
            if depth == 1 and opened:
                head, begin = opened
                begin += len(head) - len(head.lstrip())
                name = re.search(r"(\w+)\s*\(", head)
                yield name.group(1), line_of(code, begin), line_of(code, place)
            depth = max(0, depth - 1)
        if depth == 0:
            start = place + 1


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno


def check_sizes(tree):
    """functions of at most 70 lines, files of 1,000, lines of 100 columns"""
    for name in tree.matching(WIDTH_CHECKED):
        text = tree.text(name) or ""
        lines = text.split("\n")
        if len(lines) - 1 > FILE_LINES_MAX:
            yield "%s:%d: the file has more than %d lines" % (name, len(lines), FILE_LINES_MAX)
        for number, line in enumerate(lines, 1):
            if len(line) > LINE_COLUMNS_MAX:
                yield "%s:%d: %d columns" % (name, number, len(line))
        functions = ()
        try:
            if name.endswith(C_SOURCE):
                functions = list(c_functions(text))
            elif name.endswith(".py"):
                functions = list(python_functions(text))
        except SyntaxError as error:
            yield "%s:%d: %s" % (name, error.lineno or 1, error.msg)
        for function, first, last in functions:
            if last - first + 1 > FUNCTION_LINES_MAX:
                yield "%s:%d: %s has %d lines" % (name, first, function, last - first + 1)


# --------------------------------------------------------------------------------------- format


def check_format(tree):
    """C as clang-format-14 writes it"""
    names = tree.matching(C_SOURCE)
    if not names:
        return []
    program = shutil.which("clang-format-14") or "clang-format-14"
    groups = [names[start::4] for start in range(4) if names[start::4]]
    faults = set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        command = [program, "--dry-run", "-Werror", "--style=file"]
        for status, output in pool.map(lambda group: run(command + group, tree.root), groups):
            found = re.findall(r"^(\S+?):(\d+):\d+: error: ", output, re.MULTILINE)
            faults.update("%s:%s: not formatted (make format)" % pair for pair in found)
            if status != 0 and not found:
                faults.add("clang-format-14: " + output.strip()[:300])
    return sorted(faults)


# ---------------------------------------------------------------------------------------- calls


def banned_in(name):
    """The calls that a file may not make, each with the way out."""
    banned = dict.fromkeys(BANNED, "is banned")
    module = module_of(name)
    if module and name != HEAP_FILE:
        banned.update(dict.fromkeys(HEAP, "is for %s: use an ap_allocator or arena" % HEAP_FILE))
    if module and module != "port" and not is_test(name):
        banned.update(dict.fromkeys(PORT_CALLS, "is for src/port: go through struct ap_env"))
    return banned


def check_calls(tree):
    """no banned calls; the heap only in base, the system only in port"""
    call = re.compile(r"(?<![\w.>])(\w+)\s*\(")
    for name in tree.matching(C_SOURCE):
        banned = banned_in(name)
        text = blanked(tree.text(name) or "")
        for match in call.finditer(text):
            why = banned.get(match.group(1))
            if why:
                yield "%s:%d: %s %s" % (name, line_of(text, match.start()), match.group(1), why)


# --------------------------------------------------------------------------- objects and exports


def objects(tree):
    """(source name, object file) of each compiled source that still exists."""
    for path in sorted(tree.build.glob("**/CMakeFiles/*.dir/**/*.c.o")):
        relative = path.relative_to(tree.build).as_posix()
        name = re.sub(r"CMakeFiles/[^/]+\.dir/", "", relative)[: -len(".o")]
        if name in tree.names:
            yield name, path


def check_globals(tree):
    """no object outlives its owner and changes: no mutable globals"""
    found = [(n, p) for n, p in objects(tree) if n.startswith(("src/", "cmd/")) and not is_test(n)]
    if not found and tree.matching([".c"], ["src"]):
        return ["%s: no object files: build first (make build)" % tree.build]
    faults = set()
    for name, path in found:
        _, output = run(["nm", "--format=sysv", path], tree.root)
        for line in output.split("\n"):
            columns = [column.strip() for column in line.split("|")]
            if len(columns) < 7 or columns[3] not in ("OBJECT", "TLS"):
                continue
            section = columns[6]
            mutable = re.match(r"\.t?(data|bss)(\.|$)|\*COM\*", section)
            if not mutable or section.startswith(".data.rel.ro"):
                continue
            symbol = columns[0].split(".")[0]
            if "%s: %s" % (name, symbol) not in GLOBALS_ALLOWED:
                pattern = re.compile(r"\b%s\b" % re.escape(symbol))
                text = blanked(tree.text(name) or "")
                match = pattern.search(text)
                line_number = line_of(text, match.start()) if match else 1
                faults.add("%s:%d: mutable global '%s'" % (name, line_number, symbol))
    return sorted(faults)


def declared_exports(tree):
    """function -> place of each AP_API declaration of the public headers."""
    found = {}
    for name in tree.matching([".h"], ["include"]):
        text = blanked(tree.text(name) or "")
        text = re.sub(r"^[ \t]*#.*$", lambda m: " " * len(m.group()), text, flags=re.MULTILINE)
        for match in re.finditer(r"\bAP_API\b([^;{]*?)\b(\w+)\s*\(", text):
            found[match.group(2)] = "%s:%d" % (name, line_of(text, match.start()))
    return found


def check_exports(tree):
    """libapiary.so exports what the public headers declare AP_API, neither more nor less"""
    library = next(iter(sorted(tree.build.glob("**/libapiary.so"))), None)
    if library is None:
        return ["%s: no libapiary.so: build first (make build)" % tree.build]
    status, output = run(["nm", "-D", "--defined-only", library], tree.root)
    if status != 0:
        return ["%s: %s" % (library, output.strip())]
    exported = set(re.findall(r"^[0-9a-f]+ \w ([^@\s]+)", output, re.MULTILINE))
    declared = declared_exports(tree)
    faults = [
        "%s: %s is declared AP_API but not exported" % (place, name)
        for name, place in sorted(declared.items())
        if name not in exported
    ]
    extra = sorted(exported - set(declared))
    faults += ["%s: exports %s, which no header declares" % (library.name, name) for name in extra]
    return faults


# ----------------------------------------------------------------------------------------- text


def check_licence(tree):
    """each source opens with its licence and what it is for"""
    for name in tree.names:
        lines = tree.lines(name)
        program = lines[0].startswith("#!")
        if not (name.endswith(LICENSED) or program) or not "".join(lines).strip():
            continue
        if not any(LICENCE in line for line in lines[:2]):
            yield "%s:1: no '%s' in its first two lines" % (name, LICENCE)
        elif name.endswith(C_SOURCE) and not re.match(r"/\*.*\n \*\n \* \S", tree.text(name)):
            yield "%s:2: does not open with what it is for" % name


def scan(tree, pattern, what):
    for name in tree.names:
        for number, line in enumerate(tree.lines(name), 1):
            match = pattern.search(line)
            if match and name != "LICENSE":
                yield "%s:%d: %s: %s" % (name, number, what, match.group())


def check_marks(tree):
    """nothing is marked as unfinished"""
    return scan(tree, MARKS, "unfinished")


def check_paths(tree):
    """no path of a build machine and no host of a package registry"""
    yield from scan(tree, MACHINE_PATH, "path of a machine")
    yield from scan(tree, REGISTRY, "name packages, not hosts")


# --------------------------------------------------------------------------------------- Python


def python_tool(tree, words, pattern, names):
    """Run a Python tool of .venv; its complaints as places."""
    if not names:
        return []
    program = tree.root / ".venv" / "bin" / words[0]
    if not program.exists():
        program = Path(sys.executable).parent / words[0]
    if not program.exists():
        return ["%s: absent from .venv (make dev-deps)" % words[0]]
    status, output = run([program] + words[1:] + names, tree.root)
    if status == 0:
        return []
    found = [m.group() for m in re.finditer(pattern, output, re.MULTILINE)]
    return found or ["%s: %s" % (words[0], output.strip()[:500])]


RUFF_PLACE = r"^\S+:\d+:\d+: .*$"


def check_ruff(tree):
    """Python as ruff wants it"""
    words = ["ruff", "check", "--quiet", "--output-format=concise"]
    return python_tool(tree, words, RUFF_PLACE, tree.matching([".py", ".pyi"]))


def check_ruff_format(tree):
    """Python as ruff writes it (make format)"""
    words = ["ruff", "format", "--check", "--output-format=concise"]
    return python_tool(tree, words, RUFF_PLACE, tree.matching([".py", ".pyi"]))


def check_types(tree):
    """the Python packages and the tools are well typed"""
    packages = tree.matching([".py", ".pyi"], ["python"])
    packages = sorted({"/".join(n.split("/")[:3]) for n in packages if n.startswith("python/src/")})
    return python_tool(tree, ["mypy", "--no-error-summary"], r"^\S+:\d+: error: .*$", packages)


CHECKS = {
    name[len("check_") :]: function
    for name, function in list(globals().items())
    if name.startswith("check_")
}


def main(arguments):
    parser = argparse.ArgumentParser(description="Check the rules of the house.")
    parser.add_argument("checks", nargs="*", help="names of checks (all)")
    parser.add_argument("--root", default=str(Path(__file__).resolve().parent.parent))
    parser.add_argument("--build", help="the build folder whose objects are looked at")
    parser.add_argument("--json", help="write the number of faults by check to this file")
    parser.add_argument("--list", action="store_true", help="tell what is checked")
    options = parser.parse_args(arguments)
    if options.list:
        for name, function in CHECKS.items():
            print("%-12s %s" % (name, function.__doc__))
        return 0
    for name in options.checks:
        if name not in CHECKS:
            parser.error("no check '%s'; there are %s" % (name, ", ".join(CHECKS)))
    tree = Tree(options.root, options.build)
    counts = {}
    for name in options.checks or CHECKS:
        faults = list(CHECKS[name](tree))
        counts[name] = len(faults)
        print("%s %-12s %s" % ("FAIL" if faults else "ok  ", name, CHECKS[name].__doc__))
        for fault in faults:
            print("     " + fault)
    if options.json:
        Path(options.json).write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    return 1 if any(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
