# The front door. CMake builds (see CMakePresets.json); these are the commands people type.
PREFIX ?= /usr/local
# More options for CMake: make CMAKE_FLAGS=-DHY_WERROR=ON
CMAKE_FLAGS ?=
JOBS ?= $(shell nproc)

support := tests/support
need = @$(support)/packages.sh
configure = @cmake --preset $(1) --log-level=WARNING $(CMAKE_FLAGS) >/dev/null
compile = @cmake --build --preset $(1) -j $(JOBS)

.DEFAULT_GOAL := build
.PHONY: build demo test test-core test-lua asan tsan bench tables fuzz soak lint format install clean help

build: ## build the libraries, the Lua module and build/bin/hysteria-lua
	$(need) build
	$(call configure,dev)
	$(call compile,dev)

demo: ## build, then run examples/first_screen.lua on SQLite in memory
	$(need) build
	$(call configure,dev)
	$(call compile,dev) --target hysteria-runner
	@echo "== examples/first_screen.lua"
	@build/bin/hysteria-lua examples/first_screen.lua

# Configures and compiles a preset with its tests: $(call test_build,PRESET)
define test_build
	$(need) build test servers
	$(call configure,$(1))
	$(call compile,$(1))
endef

test: ## build and run every test
	$(call test_build,dev)
	@$(support)/run_tests.sh core lua

test-core: ## the C tests
	$(call test_build,dev)
	@$(support)/run_tests.sh core

test-lua: ## the Lua specs
	$(call test_build,dev)
	@$(support)/run_tests.sh lua

asan: ## every test under the address and undefined-behaviour sanitizers
	$(call test_build,asan)
	@$(support)/run_tests.sh -b build-asan core lua

tsan: ## tests of threads under the thread sanitizer
	$(call test_build,tsan)
	@$(support)/run_tests.sh -b build-tsan -l thread core

bench: ## time Hysteria against hand-written code, on every database
	$(need) build servers bench
	$(call configure,release)
	$(call compile,release)
	@tests/bench/run.sh build-release

tables: ## write what tests measured into the tables of docs/
	$(call test_build,dev)
	@HY_WRITE_DOCS=1 $(support)/run_tests.sh -s tests/lua/values_spec.lua -s tests/lua/failures_spec.lua lua

fuzz: ## libFuzzer on every target, HY_FUZZ_SECONDS (60) each
	$(need) build fuzz
	$(call configure,fuzz)
	$(call compile,fuzz) --target fuzzers
	@$(support)/fuzz.sh build-fuzz

soak: ## tests at full size, PARTS of core oom lua threads fuzz; writes tests/soak/*.txt
	$(call test_build,dev)
	$(call test_build,tsan)
	$(need) fuzz
	$(call configure,fuzz)
	$(call compile,fuzz) --target fuzzers
	@$(support)/soak.sh $(PARTS)

lint: ## formatting, static analysis, house rules
	$(need) build test lint
	$(call configure,dev)
	@$(support)/lint.sh

format: ## let clang-format rewrite every C file
	$(need) lint
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

install: ## install the release build to PREFIX (/usr/local), below DESTDIR if set
	$(need) build
	$(call configure,release)
	$(call compile,release)
	@cmake --install build-release --prefix $(PREFIX)
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || ldconfig

clean: ## remove the build folders
	@rm -rf build build-asan build-tsan build-fuzz build-release

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12
