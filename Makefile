# The project's jobs; CI runs the same ones. Everything lives in one environment, .venv.
#   make demo                               separate the demo mix into demo-out/
#   make demo MIX=song.wav PROMPT="drums"   separate a file of yours
#   make check                              lint, types, contracts and the quick tests, while you work
#   make test                               every check and every test
#   make timing                             only the tests that hold the machine to a time; they want it quiet
#   make coverage                           which lines the tests reach; SUITE=quick for the quick ones alone
#   make torture                            what the daemon survives, counted; takes half an hour
#   make wheel-test                         the same house as users get it: built, installed, looked into

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet -c constraints.txt
# Idle threads sleep: on a busy machine those that spin wait for each other's turn, and tests take many times as long.
export OMP_WAIT_POLICY = PASSIVE
export MIX PROMPT

QUICK = not (slow or process or daw or hub or gpu or soundfont)
SIDE_BY_SIDE = -n auto --maxprocesses 8 --dist loadfile
SUITE = all
SUITE_all = not daw
SUITE_quick = $(QUICK)

.PHONY: demo check lint types contracts quick test timing coverage bench torture wheel-test
.DELETE_ON_ERROR:

demo: $(VENV)/.core
	$(BIN)/zerostem demo $${MIX:+"$$MIX"} $${PROMPT:+-p "$$PROMPT"}

# mypy runs beside the tests: it needs one core for minutes at its first time, and seconds afterwards.
check: $(VENV)/.all
	$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint types contracts quick

lint: $(VENV)/.all
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.all
	$(BIN)/mypy

contracts: $(VENV)/.all
	$(BIN)/lint-imports

quick: $(VENV)/.all
	$(BIN)/pytest -q $(SIDE_BY_SIDE) -m "$(QUICK)"

# Real DAWs are run alone, and so is what is held to a time: that is told and fails nothing, for times are the machine's.
test: lint types contracts
	$(BIN)/pytest $(SIDE_BY_SIDE) -m "not daw"
	$(BIN)/pytest -m daw
	@$(MAKE) --no-print-directory timing || echo "The machine was slower than the tests of times allow; \
	that fails nothing. Run 'make timing' while it is quiet."

timing: $(VENV)/.all
	$(BIN)/pytest --timing -m timing

coverage: $(VENV)/.all
	$(BIN)/pytest -q $(SIDE_BY_SIDE) --cov --cov-report=term -m "$(SUITE_$(SUITE))"

bench: $(VENV)/.all
	$(BIN)/zerostem bench
	$(BIN)/zerostem bench speed

torture: $(VENV)/.all
	$(BIN)/python -m engine.bench.torture $(TORTURE)

# A fresh environment that borrows the dependencies .venv has already (a .pth line), but not the project: an editable
# install's own .pth is not read there. So what answers is the wheel. No test runs in the checkout, or it would answer.
wheel-test: $(VENV)/.all
	set -e; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir "$$work/dist" .; \
	$(BIN)/python -m venv "$$work/venv"; new="$$work/venv/bin/python"; \
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> "$$($$new -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/borrowed.pth"; \
	$$new -m pip install --quiet --no-deps --no-index --ignore-installed "$$work"/dist/*.whl; \
	export ZEROSTEM_HOME="$$work/home"; \
	"$$work/venv/bin/zerostem" --version; \
	"$$work/venv/bin/zerostem" doctor; \
	cd "$$work"; ZEROSTEM_TESTS_WHEEL=1 $$new -I -m pytest -p no:cacheprovider -c $(CURDIR)/pyproject.toml $(SIDE_BY_SIDE) \
		$(addprefix $(CURDIR)/tests/,test_house.py presets host_bridge)

# Editable, so that an edit needs no second install and both targets run the very files in this folder; hatchling does it
# with a plain .pth, which type checkers understand. The stamps make a second `make` do no pip work at all.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV) (once; 1.5 GB)"
	$(PIP) -e .
	touch $@

$(VENV)/.all: $(VENV)/.core
	$(PIP) -e '.[panel,video,train,bench,cpu,dev]'
	touch $@
