# Each target sets up what it needs in .venv, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
FUZZ_MINUTES ?= 30
SOAK_MINUTES ?= 20

.PHONY: demo test test-slow check docs dist benchmarks mutate fuzz soak

TWO := A large white triangle is moving in a straight line towards west and a small green square is moving \
  in a zigzag path towards east

demo: $(READY)  ## write songs, clips, single notes, and a song played by a voice to demo/
	$(BIN)/pianoreel music sample --count 8 --seed 1 --overwrite --to demo
	$(BIN)/pianoreel video sample --seed 1 --overwrite --to demo
	$(BIN)/pianoreel video sample "A small red circle is moving in a zigzag path towards north" \
	  --frames 40 --seed 2 --overwrite --to demo
	$(BIN)/pianoreel video sample "$(TWO)" --fps 24 --music --seed 1 --overwrite --to demo
	$(BIN)/pianoreel voice sample --pitch 60 --count 8 --seed 1 --overwrite --to demo
	$(BIN)/pianoreel music sample --count 1 --voice fluid:3 --seed 9 --overwrite --to demo

test: $(READY)  ## the fast tests
	$(BIN)/pytest -q -n auto --dist worksteal

test-slow: $(READY)  ## the tests that take minutes, those in a browser too where there is one
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && apt-get install -qq -y chromium; } \
	  || echo "no Chromium: the tests in a browser are skipped"
	$(BIN)/pytest -q -n auto --dist worksteal -m "slow and not gpu"

check: $(READY)  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(READY)  ## build the pages of docs/ as a site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

dist: $(READY)  ## a wheel and a source distribution, in dist/
	$(BIN)/python -c "from setuptools.build_meta import *; build_sdist('dist'); build_wheel('dist')"

benchmarks: $(READY)  ## what is promised about speed, measured here
	for file in $(filter-out $(addprefix benchmarks/,mutate.py listen.py fuzz.py soak.py),$(wildcard benchmarks/*.py)); do \
	  $(BIN)/python $$file || exit 1; done

mutate: $(READY)  ## 200 one-line mutants: which of them no test kills (an hour or two)
	$(BIN)/python -m benchmarks.mutate

fuzz: $(READY)  ## damaged files of every format; FUZZ_MINUTES=30
	$(BIN)/python benchmarks/fuzz.py --minutes $(FUZZ_MINUTES)

soak: $(READY)  ## commands killed, signalled and out of disk; SOAK_MINUTES=20
	$(BIN)/python benchmarks/soak.py --minutes $(SOAK_MINUTES)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,docs,export,interchange,musicxml,studio,tensorboard]'
	touch $@
