"""The test suite (`make test`): a line per check with its seconds, then `N passed, N failed`.

    python .ci/check.py             everything
    python .ci/check.py NAME ...    only the checks whose name contains one of the NAMEs
    python .ci/check.py --list      their names
"""
import argparse
import filecmp
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "nbs").glob("[!_.]*.ipynb"))
TIMEOUT_S = 600  # of one check
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
ENV = {k: v for k, v in os.environ.items() if k not in ("IN_TEST", "FTERVIT_ROOT", "MAKEFLAGS", "MAKELEVEL")} | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}", "PYTHONPATH": str(ROOT),
    "FTERVIT_PROFILE": "smoke", "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "HF_HUB_OFFLINE": "1"}

# Checks that are one command each, run in the repository's root: name, command, executables without which it is skipped
COMMANDS = [
    ("README.md is what index.ipynb gives", "python -m ftervit.reproduce --readme --check", ""),
    ("engine: kernels, loader, fuzzing under sanitizers; same bits from every compiler", "make -j2 -C firmware check", "make gcc"),
    ("engine: same bits in the Xtensa emulator", "make -C firmware emulate", "make gcc dpkg xtensa-lx106-elf-gcc qemu-system-xtensa"),
]

running: set[subprocess.Popen] = set()


class Skipped(Exception):
    "The check needs something that this machine lacks."


def call(command: str, cwd: Path = ROOT, needs: str = "") -> str:
    "Combined output of `command`; AssertionError with that output if it fails or takes longer than TIMEOUT_S."
    if missing := [n for n in needs.split() if not shutil.which(n, path=ENV["PATH"])]:
        raise Skipped(f"not installed: {', '.join(missing)}")
    with tempfile.TemporaryFile("w+", errors="replace") as out:  # a file: a pipe would stay open in what the command left behind
        process = subprocess.Popen(command.split(), cwd=cwd, env=ENV, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        running.add(process)
        try:
            code = process.wait(TIMEOUT_S)
            how = f"exit code {code}"
        except subprocess.TimeoutExpired:
            code, how = None, f"stopped after {TIMEOUT_S} s"
        finally:
            stop(process)
        out.seek(0)
        text = out.read()
    assert code == 0, f"{command}: {how}\n{text}"
    return text


def stop(process: subprocess.Popen) -> None:
    "End the command with everything that it started."
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()
    running.discard(process)


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


def package_exported() -> None:
    wrong = after("nbdev_export", "ftervit", "*.py", "ftervit/__init__.py")
    assert not wrong, f"the package is generated: edit the notebooks and run nbdev_export, it changes {', '.join(wrong)}"


def parameters_tagged() -> None:
    for notebook in NOTEBOOKS:
        try:
            cells = [c for c in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
        except ValueError as e:
            raise AssertionError(f"{notebook.name} is not a notebook: {e}") from e
        if any("load_profile(profile, overrides)" in "".join(c["source"]) for c in cells):
            tagged = ["".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", [])]
            assert len(tagged) == 1 and "profile =" in tagged[0] and "overrides =" in tagged[0], (
                f"{notebook.name}: one cell, tagged `parameters`, has to set `profile` and `overrides`; found {tagged}")


def git_status() -> str:
    return subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def tree_unchanged(before: str | None) -> None:
    if before is None:
        raise Skipped("not a git checkout")
    now = git_status()
    assert now == before, f"the checks changed the working tree.\nbefore:\n{before}after:\n{now}"


def checks(before: str | None) -> dict:
    "Name -> function of every check, in order; all but the last may run at the same time."
    named = {"notebooks are clean": notebooks_clean, "the package is what the notebooks export": package_exported,
             "parameters are tagged": parameters_tagged}
    named |= {name: partial(call, command, needs=needs) for name, command, needs in COMMANDS}
    named |= {f"notebook {n.stem}": partial(call, f"nbdev_test --path nbs/{n.name} --do_print --timing") for n in NOTEBOOKS}
    return named | {"the working tree is unchanged": partial(tree_unchanged, before)}


def run(name: str, check, counts: dict) -> None:
    "Run one check, print its line, count its result."
    start, why = time.monotonic(), ""
    try:
        check()
        result = "passed"
    except Skipped as e:
        result, why = "skipped", f": {e}"
    except Exception as e:
        result, why = "failed", f"\n{e if isinstance(e, AssertionError) else repr(e)}"
    counts[result] += 1
    tqdm.write(f"{result:7} {time.monotonic() - start:6.1f} s  {name}{why}", file=sys.stdout)
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print the names of all checks")
    args = parser.parse_args()
    before = git_status() if (ROOT / ".git").exists() and shutil.which("git") else None
    chosen = {name: check for name, check in checks(before).items() if not args.names or any(n in name for n in args.names)}
    if not chosen:
        parser.error(f"no check is named like {', '.join(args.names)}; --list shows all")
    if args.list:
        return print("\n".join(chosen)) or 0
    counts = dict(passed=0, failed=0, skipped=0)
    last = chosen.pop("the working tree is unchanged", None)
    pool = ThreadPoolExecutor(CORES)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        jobs = [pool.submit(run, name, check, counts) for name, check in chosen.items()]
        for job in tqdm(as_completed(jobs), total=len(jobs), unit="check", leave=False, disable=None):  # a bar on terminals only
            job.result()
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(running):
            stop(process)
        raise SystemExit(130)
    if last is not None:
        run("the working tree is unchanged", last, counts)
    print(f"{counts['passed']} passed, {counts['failed']} failed" + (f", {counts['skipped']} skipped" if counts["skipped"] else ""))
    return int(counts["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())
