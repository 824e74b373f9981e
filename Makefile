# What a developer types. The work is in dev/; docs/hacking.md tells more.
#
#   make run                      set up, build, start the demo
#   make run ARGS="--for 20s"     the same, with arguments for `ogawa demo`
#   make test                     set up, build, run every test
#   make test ONLY=console        only the tests whose name contains "console"
#   make check                    format, layers, sizes, banned calls (no build)

# Warnings of our own targets are errors. A plain `swift build` does without, and so compiles our targets anew.
export OGAWA_STRICT := 1

ARGS ?=
ONLY ?=
CASES ?=

.PHONY: help run build test check format clean

help:
	@sed -n '3,7s/^#   //p' Makefile

run:
	@dev/setup run
	@.build/release/ogawa demo $(ARGS)

build:
	@dev/setup run

test:
	@dev/setup test
	@dev/run-tests $(if $(ONLY),--only "$(ONLY)") $(if $(CASES),--cases "$(CASES)")

check:
	@dev/check

format:
	swift format --in-place --parallel --recursive Sources Tests Package.swift

clean:
	rm -rf .build
