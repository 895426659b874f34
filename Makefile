# make reproduce | make test: all that a fresh machine needs (Python 3.10 or newer, make, a C compiler)
PYTHON  ?= python3
PROFILE ?= digits
# more options of ftervit-reproduce, e.g. ARGS="--set data.root=~/imagenette"
ARGS    ?=
# PyTorch's index of CPU builds, to do without CUDA
TORCH_INDEX ?=
VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready
ENGINE  := setup.py settings.ini firmware/build_ffi.py $(wildcard firmware/src/*.[ch] firmware/include/*.h firmware/host/*.[ch])

.PHONY: reproduce test lab bench docs readme lock clean help

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

reproduce: $(READY)  ## run every notebook for PROFILE (default: digits), write figures and tables
	$(BIN)/ftervit-reproduce --profile $(PROFILE) $(ARGS)

test: $(READY)  ## notebooks clean and exported, README current, every notebook runs
	$(BIN)/python .ci/check.py

lab: $(READY)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab nbs

# ARGS chooses, e.g. ARGS="--only latency --rounds 3"; rivals beside PyTorch: .venv/bin/pip install -e '.[bench]', and ARGS=--build-ggml
bench: $(READY)  ## speed and memory beside PyTorch, ONNX Runtime, OpenVINO, ggml; the training step
	$(BIN)/ftervit-bench $(ARGS)

# Sphinx has its own environment: its packages and the project's need not agree
docs: build/docs/.ready  ## the documentation site, _docs/index.html: stored outputs, no network, every link checked
	build/docs/bin/python docs/build.py

build/docs/.ready: docs/requirements.txt
	$(PYTHON) -m venv build/docs
	build/docs/bin/python -m pip install --disable-pip-version-check --quiet -r docs/requirements.txt
	@touch $@

readme: $(READY)  ## write README.md and RESULTS.md from their notebooks
	$(BIN)/python -m ftervit.reproduce --readme

lock: $(READY)  ## resolve settings.ini anew into requirements.lock and environment.yml
	$(BIN)/pip install --quiet uv
	$(BIN)/python .ci/lock.py

clean:  ## delete work products and the environment; recorded results stay
	rm -rf runs build *.egg-info ftervit/_engine*.so $(VENV)

# the pinned packages, then the project itself with its C engine: each only when its sources have changed
$(VENV)/.pinned: requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 10) else f"Python 3.10 or newer is needed, {sys.executable} is {v[0]}.{v[1]}: make PYTHON=/path/to/python3 ...")'
	@$(PYTHON) -m venv $(VENV) || { echo '$(PYTHON) -m venv does not work: on Debian and Ubuntu, apt install python3-venv python3-dev'; exit 1; }
	grep -vE '$(if $(TORCH_INDEX),^(nvidia|cuda|triton),^$$)' requirements.lock > $(VENV)/pins.txt
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -r $(VENV)/pins.txt
	@touch $@

$(READY): $(VENV)/.pinned $(ENGINE)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch -c ftervit/_engine*.so
	@touch $@
