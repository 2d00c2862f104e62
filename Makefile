# Everything there is to do with Slipway. The work is in scripts/; these are the names for it.

.PHONY: help setup setup-test run test bench icons format

help:
	@echo 'make run      install what is missing, build, start the app (without a display: a picture of it)'
	@echo 'make test     install what is missing, then every check there is'
	@echo 'make bench    measure slip against curl and lftp'
	@echo 'make setup    install what is missing to build and run; make setup-test: to test as well'
	@echo 'make format   format all sources'
	@echo 'make icons    render icons/slipway.svg to every size'

setup:
	@scripts/setup.sh run

setup-test:
	@scripts/setup.sh test

# Arguments for the app: make run ARGS="--practice"
run: setup
	@scripts/run.sh $(ARGS)

# Some steps only, by the names in the closing summary: make test STEPS="format clippy"
test: setup-test
	@scripts/test.sh $(STEPS)

# Needs root. Writes docs/bench.md.
bench: setup-test
	@scripts/bench.py --write

format:
	cargo fmt --all
	cd ui && npm run --silent format

icons:
	@scripts/icons.sh
