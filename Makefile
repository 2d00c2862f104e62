# Everything there is to do with Slipway. The work is in scripts/; these are the names for it.

.PHONY: help setup setup-test setup-bench run test bench icons format

help:
	@echo 'make run      install what is missing, build, start the app (without a display: a picture of it)'
	@echo 'make test     install what is missing, then every check there is'
	@echo 'make bench    measure slip against curl, lftp, rclone and ncftp; ARGS=--quick in two minutes'
	@echo 'make setup    install what is missing to build and run; make setup-test: to test as well'
	@echo 'make format   format all sources'
	@echo 'make icons    render icons/slipway.svg to every size'

setup:
	@scripts/setup.sh run

setup-test:
	@scripts/setup.sh test

setup-bench:
	@scripts/setup.sh bench

# Arguments for the app: make run ARGS="--practice"
run: setup
	@scripts/run.sh $(ARGS)

# Some steps only, by the names in the closing summary: make test STEPS="format clippy"
test: setup-test
	@scripts/test.sh $(STEPS)

# Servers and the long wire need root (or sudo). Writes docs/bench.md, unless there are ARGS: see
# python3 scripts/bench --help
bench: setup-bench
	@python3 scripts/bench $(if $(ARGS),$(ARGS),--write)

format:
	cargo fmt --all
	cd ui && npm run --silent format

icons:
	@scripts/icons.sh
