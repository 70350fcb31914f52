# Everything happens in .venv, filled from requirements.lock with hashes; extensions are built in place. See README.md.

SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
CYTHON := $(shell find kernels feed engine -name '*.pyx' -o -name '*.pxd')
JOBS := $(shell nproc 2>/dev/null || echo 1)
ARGS ?=

.PHONY: all run test test-faults test-debug lint bench bench-instructions simulate fuzz lock clean
.DEFAULT_GOAL := all

# Ready to use: .venv/bin/quoter
all: $(VENV)/.built

# Quote: without arguments on an exchange of its own; make run ARGS="--network test"
run: all
	$(VENV)/bin/quoter run $(ARGS)

# Style first, because it is quick; the benchmarks once each, as smoke tests, alone on the machine.
test: lint
	$(PY) -m pytest tests -n $(JOBS) $(ARGS)
	@if compgen -G 'benchmarks/bench_*.py' >/dev/null; then $(PY) -m pytest benchmarks; fi

# Real processes on real sockets: cuts, stalls, corruption, kills, freezes, full disks; one verdict a row of the catalogue.
test-faults: all
	$(PY) -m pytest tests/faults -m "faults or not faults" $(ARGS)

# The same tests on extensions with bounds, overflow and initialisation checks, asserts and leak counters.
test-debug: all
	rm -rf build/debug-tree
	mkdir -p build/debug-tree
	tar --exclude=./.git --exclude=./.venv --exclude=./build --exclude='*.so' --exclude=__pycache__ -cf - . \
	    | tar -xf - -C build/debug-tree
	cd build/debug-tree && export QUOTER_DEBUG=1 PYTHONPATH="$$PWD" QUOTER_SHARED="$${QUOTER_SHARED:-$(abspath ../shared)}" \
	    && ../../$(PY) setup.py -q build_ext --inplace --parallel $(JOBS) \
	    && NUMBA_BOUNDSCHECK=1 ../../$(PY) -m pytest tests -n $(JOBS) $(ARGS)

# Swarms of faults in simulated time, every invariant checked; make simulate ARGS="--base 100000"
simulate: all
	$(VENV)/bin/quoter simulate --seeds 20000 --json $(ARGS)

lint: all
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	PATH="$(abspath $(VENV))/bin:$$PATH" cython-lint $(CYTHON)

# Ratios to references measured in the same run, against the committed baseline.
bench: all
	$(PY) -m pytest benchmarks --benchmark-enable --benchmark-quiet -p no:xdist $(ARGS)

# Instructions an operation alone, exact to a percent; needs valgrind (apt-get install valgrind). ARGS=--prove, ARGS=--write
bench-instructions: all
	@command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }
	$(PY) -m benchmarks.instructions $(ARGS)

# The property tests of tests/fuzz with many more examples: make fuzz ARGS="-k book"
fuzz: all
	QUOTER_HYPOTHESIS=fuzz $(PY) -m pytest tests/fuzz --timeout 0 $(ARGS)

# Pin what pyproject.toml asks for, every file of every release with its hash, whatever mirror this machine uses.
lock:
	$(MAKE) $(PY)
	$(PY) -m venv build/lock
	build/lock/bin/pip install -q pip-tools
	env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null build/lock/bin/pip-compile -q --upgrade \
	    --extra dev --all-build-deps --generate-hashes --allow-unsafe --strip-extras --annotation-style line \
	    --no-header --no-emit-index-url --no-emit-find-links --no-emit-options -o requirements.lock pyproject.toml

clean:
	rm -rf build dist *.egg-info $(VENV)/.built .hypothesis .mypy_cache .ruff_cache .pytest_cache .benchmarks
	find kernels feed engine tests benchmarks examples \( -name '*.so' -o -name '*.nbi' -o -name '*.nbc' \) -delete 2>/dev/null || true
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

$(PY):
	@for name in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	    if "$$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "$$name -m venv $(VENV)"; "$$name" -m venv $(VENV); exit; \
	    fi; \
	done; echo "Python 3.11 or newer with venv is needed: install it, or give make PYTHON=/path/to/python" >&2; exit 1

# Other versions of NumPy or picows mean another binary interface: everything is built anew.
$(VENV)/.installed: requirements.lock | $(PY)
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	rm -rf build/release
	touch $@

$(VENV)/.editable: pyproject.toml $(VENV)/.installed
	QUOTER_PREBUILT=1 $(PY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.built: $(CYTHON) setup.py $(VENV)/.installed $(VENV)/.editable
	$(PY) setup.py -q build_ext --inplace --parallel $(JOBS)
	touch $@
