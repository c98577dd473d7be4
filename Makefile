# SPDX-License-Identifier: Apache-2.0
# The front door. `make` tells what there is; `make demo` and `make test` are the two commands to
# know. What takes more than a line stands in tools/.
PYTHON ?= python3
JOBS ?= $(shell nproc)
PRESET ?= dev
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help deps dev-deps spark-deps build release install wheel demo test bench asan tsan \
        fuzz sim soak lint format clean distclean

help: ## tell what there is
	@echo "Apiary: make <target>"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | \
	    awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

deps: ## fetch what the build needs (a second run fetches nothing)
	@$(PYTHON) tools/fetch.py core

dev-deps: deps ## fetch what the tests, the demonstration and the benchmarks need, into .venv
	@$(PYTHON) tools/fetch.py development

spark-deps: ## fetch Spark with Delta, for the tests that read our frames with it
	@$(PYTHON) tools/fetch.py spark

build: deps ## build everything into build/dev (PRESET=release and so on for another)
	@cmake --preset $(PRESET) >build/configure-$(PRESET).log 2>&1 || \
	    { cat build/configure-$(PRESET).log; exit 1; }
	@cmake --build --preset $(PRESET) -j $(JOBS)

release: ## build everything, optimised, into build/release
	@$(MAKE) build PRESET=release

install: dev-deps ## install the Python package into .venv, over the library of PRESET
	@cmake --preset $(PRESET) >build/configure-$(PRESET).log 2>&1 || \
	    { cat build/configure-$(PRESET).log; exit 1; }
	@cmake --build --preset $(PRESET) -j $(JOBS) --target apiary arrowshelf_server
	@.venv/bin/python -m pip install -q --disable-pip-version-check --no-deps \
	    --no-build-isolation --force-reinstall -C build-dir=$(CURDIR)/build/python \
	    -C cmake.define.APIARY_BUNDLE=OFF \
	    -C cmake.define.APIARY_LIBRARY_DIR=$(CURDIR)/build/$(PRESET)/src -e ./python

wheel: dev-deps ## build a wheel that holds all it needs into dist/
	@.venv/bin/python -m pip wheel -q --disable-pip-version-check --no-deps \
	    --no-build-isolation -C build-dir=$(CURDIR)/build/wheel -w dist ./python

demo: dev-deps ## build, install into .venv, load real data, ask it questions
	@$(MAKE) build install PRESET=release
	@tools/demo.sh

test: ## build and run every test; the last line says how many passed and failed
	@$(PYTHON) tools/test.py

bench: dev-deps ## compare with peers in one run and print the ratios
	@$(MAKE) build install PRESET=release
	@.venv/bin/python bench/run.py

asan: deps ## the C tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(PYTHON) tools/test.py c --preset asan

tsan: deps ## the C tests under ThreadSanitizer
	@$(PYTHON) tools/test.py c --preset tsan

fuzz: deps ## every fuzz target for FUZZ_SECONDS each (60)
	@$(PYTHON) fuzz/run.py --seconds $(or $(FUZZ_SECONDS),60)

sim: deps ## the C tests ROUNDS times (20), each with a fresh seed
	@$(PYTHON) tools/test.py c --rounds $(or $(ROUNDS),20)

soak: dev-deps ## every C and Python test in its long form (AP_SOAK=1)
	@AP_SOAK=1 $(PYTHON) tools/test.py c python

lint: dev-deps ## the checks alone: layout, formatting, banned calls, types
	@$(MAKE) build
	@.venv/bin/python tools/check.py

format: dev-deps ## format all C and Python
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs -r clang-format-14 -i
	@.venv/bin/ruff format -q .

clean: ## remove what was built; what was fetched stays
	@find build -mindepth 1 -maxdepth 1 ! -name deps -exec rm -rf {} + 2>/dev/null || true

distclean: ## remove what was built and what was fetched
	@rm -rf build .venv
