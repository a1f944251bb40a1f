# Carillon's two commands are `make run` and `make test`; both need only Python 3.11 or newer and make.
MAKEFLAGS += --no-print-directory
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; break; }; done)
RUN := .venv/bin/python

.PHONY: help run test bench chaos fuzz lint fmt clean
.DEFAULT_GOAL := help

help: ## Show this list
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1	/p' Makefile

run: .env ## Start everything on this machine: web, workers, development mailbox (make run PORT=8080)
	@exec $(RUN) manage.py run

test: tools ## Run all checks and the whole suite on SQLite and PostgreSQL (BROWSER=0 leaves Chromium out; ARGS=--next: on Django's next release)
	@exec $(RUN) -m tests.both $(ARGS)

bench: bench-tools ## Measure how fast it sends, beside other ways, and write docs/performance.md (ARGS="--quick rate dkim")
	@exec $(RUN) -m bench $(ARGS)

chaos: tools ## Kill and starve it for half an hour, and see what docs/reliability.md promises kept (ARGS="kills --seed 8")
	@exec $(RUN) -m tests.chaos $(ARGS)

fuzz: fuzz-tools ## Make calls of the API's document for ten minutes, and see each answered as it says (ARGS="--database postgres --seconds 60")
	@exec .venv-fuzz/bin/python -m tests.api.fuzz $(ARGS)

lint: tools ## Only the checks: ruff, djade, node, mypy, missing migrations (ARGS="types")
	@exec $(RUN) -m tests.both --lint $(ARGS)

fmt: tools ## Put code and templates into shape
	@$(RUN) -m ruff check --fix --quiet apps clients tests bench notifications_project manage.py
	@$(RUN) -m ruff format apps clients tests bench notifications_project manage.py
	@find templates -name '*.html' | xargs .venv/bin/djade --target-version 5.2

clean: ## Remove what can be made again; var/ (your data) and .env stay
	@rm -rf .venv .venv-next .venv-fuzz .pytest_cache .ready_database .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Secrets of this machine's development site, written once.
.env: | packages
	@umask 077; $(RUN) -c 'import secrets; print("CARILLON_MODE=development", f"SECRET_KEY={secrets.token_urlsafe(48)}", \
	f"FIELD_KEYS={secrets.token_urlsafe(32)}", sep="\n")' > .env.part && mv .env.part .env

# Packages are installed when the requirements or the Python differ from the stamp of the last time, so that a
# later start needs no network. $(1): requirements file, $(2): stamp.
fingerprint = $$($(RUN) -V 2>&1; cat $(1) | cksum)
define install
	@[ "$(call fingerprint,$(1))" = "$$(cat .venv/$(2) 2>/dev/null)" ] || { \
		echo "Installing $(lastword $(1)) into .venv ..."; \
		$(RUN) -m pip install --quiet --disable-pip-version-check --no-warn-script-location --root-user-action=ignore \
			-r $(lastword $(1)) || { echo "make: the packages of $(lastword $(1)) could not be installed (pip says why above)." >&2; exit 1; }; \
		printf '%s' "$(call fingerprint,$(1))" > .venv/$(2); }
endef

.PHONY: venv packages tools bench-tools fuzz-tools
packages: venv
	$(call install,requirements.txt,installed)
tools: packages
	$(call install,requirements.txt requirements-ses.txt requirements-parquet.txt requirements-dev.txt,installed-dev)
bench-tools: packages
	$(call install,requirements.txt bench/requirements.txt,installed-bench)
# An environment of its own: schemathesis wants an older package than the product does.
fuzz-tools: venv
	@[ "$(call fingerprint,requirements.txt requirements-fuzz.txt)" = "$$(cat .venv-fuzz/installed 2>/dev/null)" ] || { \
		echo "Installing requirements-fuzz.txt into .venv-fuzz ..."; \
		$(RUN) -m venv .venv-fuzz && for file in requirements.txt requirements-fuzz.txt; do \
			.venv-fuzz/bin/python -m pip install --quiet --disable-pip-version-check -r $$file || exit 1; done && \
		printf '%s' "$(call fingerprint,requirements.txt requirements-fuzz.txt)" > .venv-fuzz/installed; }

# A .venv whose Python is gone or was upgraded in place has no pip any more: make it anew.
venv:
	@$(RUN) -c 'import pip' 2>/dev/null || { \
		[ -n "$(PYTHON)" ] || { echo "make: Python 3.11 or newer is missing; install it (Debian: apt-get install python3 python3-venv)." >&2; exit 1; }; \
		$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
			echo "make: $(PYTHON) has no venv module; install it (Debian: apt-get install python3-venv)." >&2; exit 1; }; \
		echo "Making .venv with $$($(PYTHON) -V) ..."; \
		rm -rf .venv && $(PYTHON) -m venv .venv || { echo "make: $(PYTHON) could not make .venv (it says why above)." >&2; exit 1; }; }
