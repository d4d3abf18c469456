# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
# The CPU build of torch is a tenth of the size of the other; for a GPU: make demo TORCH_INDEX=
TORCH ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-ray check check-javascript audit bench chaos docs screenshots clean help

help:
	@echo "make demo    the main job on examples/summit: human translations, then machine ones"
	@echo "make test    all tests"
	@echo "make test-ray  the tests that start a Ray cluster on this machine"
	@echo "make audit   known vulnerabilities in what is installed"
	@echo "make chaos   runs that are disturbed: the figures of docs/reliability.md"
	@echo "make check   ruff, mypy, import contracts; with node also the scripts of the report"
	@echo "make bench   the benchmarks behind docs/benchmarks.md"
	@echo "make docs    the pages that the code writes, then all of docs/ as a site in site/"
	@echo "make screenshots    docs/screenshots, from the demo in a real Chromium"

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	test -n "$(TORCH_INDEX)" && $(BIN)/pip install --quiet --no-deps --retries 0 --index-url $(TORCH_INDEX) \
		"$(TORCH)" 2>/dev/null || $(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet -e ".[starter,search,formats,publish,dev]"
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/python scripts/demo.py --out demo

test: $(STAMP)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-ray: $(STAMP)
	$(BIN)/pip install --quiet -e ".[ray]"
	$(BIN)/python -m pytest -m ray

audit: $(STAMP)
	$(BIN)/pip install --quiet pip-audit
	$(BIN)/pip-audit --local --skip-editable

chaos: $(STAMP)
	$(BIN)/python scripts/chaos.py
	$(BIN)/python scripts/bench_scale.py

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -c "import sys, mtalign, mtalign.cli; \
		heavy = {'torch', 'transformers', 'datasets', 'numpy', 'pydantic'} & set(sys.modules); \
		sys.exit(f'imported at start-up: {heavy}' if heavy else 0)"
	$(MAKE) check-javascript

# Types by tsc --checkJs, and a linter; both pinned, neither shipped.
check-javascript:
	@if command -v npm >/dev/null; then \
		cd scripts/javascript && npm ci --silent --no-audit --no-fund && npm run --silent check; \
	else \
		echo "skipped: the report's scripts are checked where node and npm are installed"; \
	fi

bench: $(STAMP)
	$(BIN)/python scripts/bench_segmentation.py
	$(BIN)/python scripts/bench_checks.py

docs: $(STAMP)
	$(BIN)/typer mtalign.cli utils docs --name mtalign --title "The commands" --output docs/commands.md
	$(BIN)/python scripts/config_reference.py --output docs/configuration.md
	$(BIN)/pip install --quiet -e ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

screenshots: demo
	$(BIN)/mtalign report demo/human/run -o demo/human/report.html --links -c starter
	$(BIN)/python scripts/screenshots.py demo/human/run --out docs/screenshots

clean:
	rm -rf $(VENV) demo site scripts/javascript/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
