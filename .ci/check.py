"""The test suite (`make test`): `nbdev_test`, then what nbdev does not check; a line per notebook and check, last `N passed, N failed`.

    python .ci/check.py             everything (the notebooks alone: nbdev_test)
    python .ci/check.py NAME ...    only the checks whose name contains one of the NAMEs
    python .ci/check.py --list      their names
"""
import argparse
import filecmp
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Timer

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "nbs").glob("[!_.]*.ipynb"))
TIMEOUT_S = 1800  # of one check
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
ENV = {k: v for k, v in os.environ.items() if k not in ("IN_TEST", "FTERVIT_PROFILE", "FTERVIT_ROOT", "MAKEFLAGS", "MAKELEVEL")} | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}", "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "HF_HUB_OFFLINE": "1"}

# Checks that are one command each, run in the repository's root: name, command, executables without which it is skipped
COMMANDS = [
    ("README.md and RESULTS.md are what their notebooks give", "python -m ftervit.reproduce --readme --check", ""),
    ("what is recorded is of one run", "python -m ftervit.reproduce --records", ""),
    ("engine: kernels, loader, fuzzing under sanitizers; same bits from every compiler", f"make -j{CORES} -C firmware check", "make gcc"),
    ("engine: same bits in the Xtensa emulator", "make -C firmware emulate", "make gcc dpkg xtensa-lx106-elf-gcc qemu-system-xtensa"),
    ("engine: same bits in Chromium, every model and kernel set", "make -C firmware wasm-check", "make gcc node clang-19 chromium"),
]


started: list[subprocess.Popen] = []


class Skipped(Exception):
    "The check needs something that this machine lacks."


def start(command: str, cwd: Path, out) -> subprocess.Popen:
    "`command` as a group of processes of its own, all that it says going to `out`."
    process = subprocess.Popen(command.split(), cwd=cwd, env=ENV, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                               start_new_session=True, text=True, errors="replace")
    started.append(process)
    return process


def stop(process: subprocess.Popen) -> None:
    "End the command with everything that it started."
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()


def lacking(needs: str) -> list[str]:
    return [n for n in needs.split() if not shutil.which(n, path=ENV["PATH"])]


def call(command: str, cwd: Path = ROOT, needs: str = "") -> str:
    "Combined output of `command`; AssertionError with that output if it fails or takes longer than TIMEOUT_S."
    if missing := lacking(needs):
        raise Skipped(f"not installed: {', '.join(missing)}")
    with tempfile.TemporaryFile("w+", errors="replace") as out:  # a file: a pipe would stay open in what the command left behind
        process = start(command, cwd, out)
        try:
            how = f"exit code {process.wait(TIMEOUT_S)}"
        except subprocess.TimeoutExpired:
            how = f"stopped after {TIMEOUT_S} s"
        finally:
            stop(process)
        out.seek(0)
        text = out.read()
    assert how == "exit code 0", f"{command}: {how}\n{text}"
    return text


def after(command: str, folder: str, pattern: str, *keep: str) -> list[str]:
    "Files of `folder` that differ once `command` has run in a copy of the project that holds only `keep` and the notebooks."
    with tempfile.TemporaryDirectory() as tmp:
        for name in ("settings.ini", *(f"nbs/{n.name}" for n in NOTEBOOKS), *keep):
            (Path(tmp) / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, Path(tmp) / name)
        output = call(command, cwd=Path(tmp))
        assert "Failed" not in output, output  # nbdev only warns of a notebook that it cannot read
        names = {f.name for top in (ROOT, Path(tmp)) for f in (top / folder).glob(pattern)}
        return sorted(set(names) - set(filecmp.cmpfiles(ROOT / folder, Path(tmp) / folder, names, shallow=False)[0]))


def notebooks_clean() -> None:
    dirty = after("nbdev_clean", "nbs", "[!_.]*.ipynb")
    assert not dirty, f"run nbdev_clean, it changes {', '.join(dirty)}"
    for notebook in NOTEBOOKS:
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            told = [o for o in cell.get("outputs", []) if o.get("name") == "stderr" or re.search(r"/(root|home|Users|tmp)/", json.dumps(o.get("text", "")))]
            assert not told, f"{notebook.name}: an output holds warnings or a path of the machine that executed it: {json.dumps(told)[:300]}"


def package_exported() -> None:
    wrong = after("nbdev_export", "ftervit", "*.py", "ftervit/__init__.py")
    assert not wrong, f"the package is generated: edit the notebooks and run nbdev_export, it changes {', '.join(wrong)}"


def documentation() -> None:
    "The site builds, no link in it is dead; where there is a browser, `docs/site.mjs` opens it."
    call("make docs", needs="make")
    missing = lacking("node chromium")
    if not (ROOT / "firmware/web/tests/node_modules/playwright-core").is_dir():
        missing.append("playwright-core (npm ci --prefix firmware/web/tests)")
    if missing:
        raise Skipped(f"built, no dead link; not opened in a browser, not installed: {', '.join(missing)}")
    if left_out := re.findall(r"^skipped: (.+)$", call("node --no-warnings docs/site.mjs"), re.M):
        raise Skipped(f"opened in Chromium but for {', '.join(left_out)}")


def git_state() -> str | None:
    "What git sees of the working tree, contents included; None outside of a checkout."
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        return None
    git = lambda *args: subprocess.run(["git", *args], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, errors="replace").stdout
    return git("status", "--porcelain") + git("diff", "HEAD")


def tree_unchanged(before: str | None) -> None:
    if before is None:
        raise Skipped("not a git checkout")
    now = git_state()
    assert now == before, f"the checks changed the working tree.\nbefore:\n{before[-3000:]}\nafter:\n{now[-3000:]}"


def notebooks_pass(counts: dict) -> None:
    "`nbdev_test`, by `.ci/notebooks.py`: prints and counts a line per notebook; AssertionError if it ends without one of them."
    process, told = start(f"{sys.executable} .ci/notebooks.py --n_workers {CORES}", ROOT, subprocess.PIPE), 0
    (limit := Timer(TIMEOUT_S, stop, [process])).start()
    try:
        for line in process.stdout:  # tracebacks too: which notebook, which cell, which error
            print(line, end="", flush=True)
            if found := re.match(r"(passed|failed) +[\d.]+ s  notebook ", line):
                counts[found[1]] += 1
                told += 1
    finally:
        limit.cancel()
        stop(process)
    assert told == len(NOTEBOOKS), f"nbdev_test told of {told} of {len(NOTEBOOKS)} notebooks and ended with exit code {process.returncode}"


def checks(before: str | None, counts: dict) -> dict:
    "Name -> function of every check, in order."
    named = {"nbdev_test": partial(notebooks_pass, counts), "notebooks are clean": notebooks_clean,
             "the package is what the notebooks export": package_exported,
             "the documentation site: links, chapters, figures, search, demonstration": documentation}
    named |= {name: partial(call, command, needs=needs) for name, command, needs in COMMANDS}
    return named | {"the working tree is unchanged": partial(tree_unchanged, before)}


def run(name: str, check, counts: dict) -> None:
    "Run one check, print its line, count its result."
    began, why = time.monotonic(), ""
    try:
        check()
        result = "passed"
    except Skipped as e:
        result, why = "skipped", f": {e}"
    except Exception as e:
        result, why = "failed", f"\n{e if isinstance(e, AssertionError) else repr(e)}"
    counts[result] += 1
    print(f"{result:7} {time.monotonic() - began:6.1f} s  {name}{why}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print the names of all checks")
    args = parser.parse_args()
    counts = dict(passed=0, failed=0, skipped=0)
    chosen = {name: check for name, check in checks(git_state(), counts).items() if not args.names or any(n in name for n in args.names)}
    if not chosen:
        parser.error(f"no check is named like {', '.join(args.names)}; --list shows all")
    if args.list:
        return print("\n".join(chosen)) or 0
    last = chosen.pop("the working tree is unchanged", None)
    with ThreadPoolExecutor(2) as pool:  # the engine's checks fill what waiting notebooks leave of the cores
        jobs = [pool.submit(run, name, check, counts) for name, check in chosen.items()]
        try:
            for job in jobs:
                job.result()
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in started:
                stop(process)
            return 130
    if last is not None:
        run("the working tree is unchanged", last, counts)
    print(f"{counts['passed']} passed, {counts['failed']} failed" + (f", {counts['skipped']} skipped" if counts["skipped"] else ""))
    return int(counts["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())
