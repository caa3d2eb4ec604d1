# Everything a newcomer needs. Each target sets up what it uses; `make setup` only does that.

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench generate lock

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## install everything that the other targets use, and say what
	@scripts/setup.sh dev

demo:  ## a dozen poles, five RS-485 buses, a broker and a database on this machine (ARGS="--for 30s --json")
	@scripts/setup.sh run
	@.venv/bin/pole demo $(ARGS)

test:  ## every test, on real parts (ARGS=tests/gateway for some of them)
	@scripts/setup.sh dev
	@scripts/test.sh $(ARGS)

check:  ## format, lint, types, generated files, layering
	@scripts/setup.sh dev
	@scripts/check.sh

bench:  ## what a bus, a gateway and its disk can do on this machine (ARGS="bus --json")
	@scripts/setup.sh dev
	@.venv/bin/pole bench $(or $(ARGS),bus)

generate:  ## write the generated files anew
	@scripts/setup.sh dev
	@scripts/generate.sh

lock:  ## write the lock files anew from pyproject.toml (ARGS=--upgrade for the newest versions)
	@scripts/setup.sh dev
	@scripts/lock.sh $(ARGS)
