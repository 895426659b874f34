"""Resolve settings.ini into requirements.lock (all Python versions, all platforms) and environment.yml (`make lock`)."""
import json
import re
import subprocess
import sys
import tempfile
from configparser import ConfigParser
from pathlib import Path

root = Path(__file__).resolve().parent.parent
config = ConfigParser(delimiters=["="])
config.read(root / "settings.ini", encoding="utf-8")
cfg = config["DEFAULT"]

with tempfile.TemporaryDirectory() as tmp:
    wanted = Path(tmp) / "requirements.in"
    wanted.write_text("\n".join((cfg["requirements"] + " " + cfg["dev_requirements"]).split() + ["setuptools"]) + "\n")
    lock = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--no-annotate", "--no-header",
         "--python-version", cfg["min_python"], str(wanted)],
        check=True, stdout=subprocess.PIPE, text=True, cwd=tmp).stdout
lines = [line for line in lock.splitlines() if re.match(r"[A-Za-z0-9_.-]+==", line)]
header = "# Written by `make lock` from settings.ini: exact versions of everything, for Python 3.10 and newer on every platform.\n"
(root / "requirements.lock").write_text(header + "\n".join(lines) + "\n")
(root / "environment.yml").write_text(
    "# Written by `make lock`: the same pins for conda users. conda env create -f environment.yml\n"
    "name: ftervit\nchannels: [conda-forge]\ndependencies:\n  - python=3.11\n  - pip\n  - c-compiler\n  - make\n  - pip:\n"
    + "".join(f"      - {json.dumps(line)}\n" for line in lines)
    + "      - -e .\n")
print(f"{len(lines)} pins in requirements.lock and environment.yml")
