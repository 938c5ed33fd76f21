# A thin cover over CMake: every rule is one or two commands that you can also type.
#   make            build everything: programs in build/bin, libraries in build/lib
#   make run        install what is missing, build, show two nodes finding each other and talking
#   make test       unit, simulated and real-socket tests: plain, sanitizers, valgrind, coverage
#   make check      format, static analysis, layers, headers, warnings of gcc and clang
#   make bench      measure (ARGS="--json FILE" and others: ARGS=--help)
#   make format     bring all C files into the house style
#   make install    to $(DESTDIR)$(PREFIX)
#   make clean      remove all build folders
# The first run installs missing Debian packages; NO_PACKAGES=1 leaves the machine alone.

PREFIX ?= /usr/local
ARGS ?=
PYTHON = /usr/bin/python3

ifdef NO_PACKAGES
packages = @:
else
packages = @scripts/install_packages
endif

.PHONY: all configure run test check bench format install clean

all: configure
	cmake --build build

configure:
	$(packages) build
	@[ -f build/build.ninja ] || cmake -S . -B build -G Ninja -DHYPHA_TESTS=OFF \
	    -DCMAKE_INSTALL_PREFIX=$(PREFIX)

run: all
	@$(PYTHON) scripts/run_demo.py build

test:
	$(packages) build test
	@scripts/run_tests

check:
	$(packages) build test check
	@scripts/run_checks

bench: configure
	cmake --build build --target hypha-bench
	build/bin/hypha-bench $(ARGS)

format:
	$(packages) check
	scripts/check_format --fix

install: configure
	cmake -S . -B build -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	cmake --build build
	cmake --install build
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

clean:
	rm -rf build build-*
