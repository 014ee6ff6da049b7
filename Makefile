# SPDX-License-Identifier: BSD-2-Clause
# A short front to meson and ninja. `make help` lists what it does.
BUILD  ?= build
PREFIX ?= /usr/local
JOBS   ?= $(shell nproc)

.PHONY: all demo check bench install clean help packages

all: packages $(BUILD)/build.ninja
	ninja -C $(BUILD) -j $(JOBS)

packages:
	@packaging/install-packages

$(BUILD)/build.ninja: | packages
	meson setup $(BUILD) --prefix=$(PREFIX)

demo: all
	BUILD=$(BUILD) tests/demo.sh

check: packages
	tests/check.sh

bench: all
	BUILD=$(BUILD) bench/run.sh

install: all
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	DESTDIR=$(DESTDIR) meson install -C $(BUILD) --quiet

clean:
	rm -rf $(BUILD) build-check

help:
	@echo "make demo                       install what is missing, build, and show it at work (root)"
	@echo "make check                      all tests"
	@echo "make bench                      the benchmark table"
	@echo "make install PREFIX= DESTDIR=   programs, library, headers, man pages"
	@echo "make, make clean                build, remove what was built"
