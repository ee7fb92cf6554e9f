# `make` alone lists the targets. VENV=, PYTHON=, ARGS= and SEEDS= may be given on the command line.
VENV ?= .venv
PYTHON ?=
ARGS ?=
SEEDS ?=
export VENV PYTHON

BIN := $(VENV)/bin
RUN := $(BIN)/python -m
WORKERS ?= auto
PYTEST := $(RUN) pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist worksteal
SOURCES := usbprov drivers tests benchmarks scripts

INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## */\1|/p' Makefile | while IFS='|' read -r name text; \
	  do printf '  make %-14s %s\n' "$$name" "$$text"; done

.PHONY: demo
demo: $(INSTALLED) ## install, then provision an emulated phone against a lab server
	$(BIN)/usbprov demo $(ARGS)

.PHONY: test
test: lint unit ## install, then every check and every test

.PHONY: install
install: $(INSTALLED) ## install usbprov into $(VENV)

.PHONY: install-dev
install-dev: $(INSTALLED_DEV) ## install usbprov and the tools of `make test`

.PHONY: lint
lint: $(INSTALLED_DEV) ## ruff, mypy --strict (for Linux, Windows, macOS), import-linter
	$(MAKE) --jobs --output-sync=target --no-print-directory lint-style lint-types-here \
	  lint-types-win32 lint-types-darwin lint-imports

.PHONY: lint-style lint-types-here lint-imports
lint-style:
	$(RUN) ruff check $(SOURCES)
	$(RUN) ruff format --check $(SOURCES)
lint-types-here:
	$(RUN) mypy
	$(RUN) mypy scripts benchmarks
lint-types-%:
	$(RUN) mypy --platform $* --cache-dir .mypy_cache/$*
lint-imports:
	$(BIN)/lint-imports --no-cache

.PHONY: unit
unit: $(INSTALLED_DEV) ## every test, in random order; ARGS='tests/flow -k pin' narrows it
	$(PYTEST) $(ARGS)

.PHONY: test-vm
test-vm: $(INSTALLED_DEV) ## the tests on a real USB bus, in a virtual machine (QEMU); ARGS='-k list'
	scripts/test-vm $(ARGS)

.PHONY: test-faults
test-faults: $(INSTALLED_DEV) ## every cut point of a job, each cut and repeated (Linux); ARGS='--only kill:first-phone:publish'
	PYTHONPATH=tests:tests/faults $(RUN) cutpoints $(ARGS)

.PHONY: fuzz
fuzz: $(INSTALLED_DEV) ## fuzz what reads a device's bytes (Linux); ARGS='--seconds 600 cbor' narrows it
	$(RUN) pip install --quiet --no-deps --require-hashes --requirement requirements-fuzz.lock
	PYTHONPATH=tests $(RUN) fuzz $(ARGS)

.PHONY: chaos
chaos: $(INSTALLED_DEV) ## 64 phones pulled, the server failing, the program killed; SEEDS='7 8'
	PYTHONPATH=tests $(RUN) chaos $(SEEDS) $(ARGS)

.PHONY: coverage
coverage: $(INSTALLED_DEV) ## every test, with branch coverage in htmlcov/
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=html $(ARGS)

.PHONY: bench-startup
bench-startup: $(INSTALLED_DEV) ## `usbprov --version` against a bare click program
	$(BIN)/python benchmarks/startup.py $(ARGS)

.PHONY: bench-link
bench-link: $(INSTALLED_DEV) ## PUT against a bare loop of pyusb or pyserial, here and on the kernel's bus (QEMU)
	$(BIN)/python benchmarks/link.py $(ARGS)
	scripts/bootstrap --vm
	tests/vm/run-in-vm $(BIN)/python benchmarks/link.py \
	  kernel-bulk kernel-serial gadget-bulk gadget-serial $(ARGS)

.PHONY: bench-ledger
bench-ledger: $(INSTALLED_DEV) ## what a phone costs in the ledger; ARGS=postgresql://USER@HOST/EMPTY
	$(BIN)/python benchmarks/ledger.py $(ARGS)

.PHONY: bench-vault
bench-vault: $(INSTALLED_DEV) ## what a guess at a vault's passphrase costs (Linux)
	$(BIN)/python benchmarks/vault.py $(ARGS)

MINUTES ?= 60

.PHONY: soak
soak: $(INSTALLED_DEV) ## an hour's bench with phones that come and go (Linux); MINUTES=2 for a shorter one
	PYTHONPATH=tests $(RUN) soak --minutes $(MINUTES) $(ARGS)

.PHONY: bench-rate
bench-rate: $(INSTALLED_DEV) ## 4 benches on one PostgreSQL against 1; ARGS='phone --database .' on this disk
	PYTHONPATH=tests $(BIN)/python benchmarks/rate.py $(ARGS)

.PHONY: benches
benches: $(INSTALLED_DEV) ## 4 benches, 400 phones, one PostgreSQL, one bench killed; ARGS='--phones 40'
	PYTHONPATH=tests $(RUN) benches $(ARGS)

.PHONY: bench64
bench64: $(INSTALLED_DEV) ## 64 phones at once against a program that does nothing else; ARGS='1 8 64 --plot FILE'
	$(BIN)/python benchmarks/bench64.py $(ARGS)

.PHONY: docs
docs: $(INSTALLED) ## regenerate docs/errors.md, docs/diagnosis.md and udev/
	$(BIN)/python scripts/docs_errors.py
	$(BIN)/python scripts/docs_diagnosis.py
	$(BIN)/python scripts/udev_rules.py

.PHONY: pictures
pictures: $(INSTALLED_DEV) ## the pictures in docs/ anew: board and bench (Chromium; pngquant makes them small)
	PYTHONPATH=tests $(BIN)/python tests/browser/pictures.py
	PYTHONPATH=tests $(BIN)/python tests/browser/pictures_of_bench.py

.PHONY: lock
lock: $(BIN)/uv ## resolve the lock files anew; ARGS=--upgrade takes newer versions
	scripts/resolve $(ARGS)

.PHONY: test-lowest
test-lowest: $(BIN)/uv ## the unit tests with the lowest versions that pyproject.toml allows
	scripts/test-lowest $(ARGS)

.PHONY: dist
dist: $(INSTALLED) ## source distribution and wheel in dist/
	$(RUN) hatchling build

.PHONY: clean
clean: ## remove the virtual environments, caches and everything that was built
	rm -rf $(VENV) .venv-lowest dist build htmlcov .coverage .coverage.* .hypothesis \
	  .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find $(SOURCES) -type d -name __pycache__ -prune -exec rm -rf {} +

$(INSTALLED): requirements.lock pyproject.toml scripts/bootstrap
	@scripts/bootstrap
	@touch $@

$(INSTALLED_DEV): requirements.lock requirements-dev.lock pyproject.toml scripts/bootstrap
	@scripts/bootstrap --dev
	@touch $(INSTALLED) $@

$(BIN)/uv: | $(INSTALLED_DEV)
	$(RUN) pip install --quiet 'uv>=0.9'
