# SPDX-License-Identifier: Apache-2.0
#
#   make run [TARGET=...]   set up, build, and a tour on real data (or on a target of yours)
#   make test [T=name]      set up, build and run every test, or the one of this name
#   make                    set up and build
#   make bench [T=name]     set up, build, and measure beside others
#   make fuzz [T=name] [S=seconds]
#   make install PREFIX=... [DESTDIR=...]
#   make docs               write the pages that are made from the kinds' parameters
#   make clean              remove what was built (what was set up stays)
.POSIX:
.PHONY: all run test check bench fuzz install docs clean

PREFIX = /usr/local

all:
	@tools/setup run
	@PREFIX=$(PREFIX) tools/build plain

run: all
	@tools/tour $${TARGET:+"$$TARGET"}

test:
	@tools/setup test
	@tools/test $${T:+"$$T"}

check:
	@tools/check

bench:
	@tools/setup bench
	@bench/run $${T:+"$$T"}

fuzz:
	@tools/setup fuzz
	@tools/fuzz "$$T" $${S:-60}

docs: all
	@tools/docs

install: all
	@meson install -C build/plain --no-rebuild --quiet

clean:
	rm -rf build
