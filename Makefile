# Two commands do everything: `make run` and `make test`. Both install what is missing first.
UV = ./tools/uv
RUN = $(UV) run --frozen

.PHONY: run test lint check bench chaos setup setup-for-tests
run: setup
	@$(RUN) netvigil quickstart $(ARGS)

test: setup-for-tests
	@$(RUN) pytest -n 2 $(ARGS)

lint: setup
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) lint-imports
	@$(RUN) python tools/check_sizes.py

check: lint test

bench: setup
	@for script in bench/bench_*.py; do echo "== $$script"; $(RUN) python $$script || exit 1; done

# Kills, freezes, stops and restarts everything for minutes, then checks every invariant; ARGS="--seed N" repeats a run.
chaos: setup
	@$(RUN) python bench/chaos.py $(ARGS)

setup:
	@./tools/setup

setup-for-tests:
	@./tools/setup --for-tests
