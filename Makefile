# pxerelay: what developers and administrators type. `make help` lists it.
VENV   := .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
# Most tests wait for time to pass, so more of them run at once than there may be processors; folders come first,
# as the longest are in there.
AT_ONCE := --dist loadfile --no-loadscope-reorder --numprocesses

.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.stamp: pyproject.toml tests/lab/install-packages
	tests/lab/install-packages
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --editable . --group dev
	touch $@

venv: $(VENV)/.stamp ## the tools: Debian packages and .venv

test: lint unit role tools integration ## everything that is fast: lint, unit, role, tools and integration tests

lint: $(VENV)/.stamp ## ruff, mypy, yamllint, ansible-lint; are the generated pages current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/yamllint --strict .
	$(BIN)/python ansible/readme.py --check
	$(BIN)/python ansible/lock.py --check
	$(BIN)/python schemas/reference.py --check
	$(BIN)/python man/write.py --check
	$(BIN)/python -m pxerelay.completions --check
	$(BIN)/python docs/diagrams/render.py --check
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/ansible-lint --offline --profile production ansible inventories molecule

unit: $(VENV)/.stamp ## bytes in, decision out; no network
	$(BIN)/pytest --quiet $(AT_ONCE) 4 tests/unit

role: $(VENV)/.stamp ## the role: templates, filters, collection; over OpenSSH, and by the oldest ansible-core
	tests/lab/install-packages openssh-client sudo
	$(BIN)/pytest --quiet $(AT_ONCE) 3 tests/role

tools: $(VENV)/.stamp ## what the tools do with git, ansible and captures
	tests/lab/install-packages tshark
	$(BIN)/pytest --quiet $(AT_ONCE) 4 tests/tools

ansible-matrix: $(VENV)/.stamp ## the role by every ansible-core it is for, on Python 3.11 and 3.13; ARGS=2.17 for some
	tests/lab/install-packages openssh-client
	$(BIN)/python -m tests.role.matrix $(ARGS)

ansible-units: $(VENV)/.stamp ## the collection's own unit tests by ansible-test; ARGS=tests/unit/plugins/modules/test_facts.py for some
	$(BIN)/python -m tests.role.sanity units $(ARGS)

ansible-sanity: $(VENV)/.stamp ## ansible-test on the collection's modules, filters and playbooks; ARGS='--test import' for some
	$(BIN)/python -m tests.role.sanity sanity $(ARGS)

differential: $(VENV)/.stamp ## the same messages through ISC dhcrelay, dnsmasq and pxerelay, compared
	$(BIN)/pytest --quiet tests/differential

integration: $(VENV)/.stamp ## real sockets, servers and clients in network namespaces
	$(BIN)/pytest --quiet -m 'not alone' $(AT_ONCE) 6 tests/integration
	$(BIN)/pytest --quiet -m alone tests/integration

fuzz: $(VENV)/.stamp ## coverage-guided fuzzing of the relay, each family (SECONDS=20)
	$(BIN)/pip install --quiet --group fuzz
	$(BIN)/python -m tests.fuzz $(or $(SECONDS),20)
	$(BIN)/python -m tests.fuzz dhcpv6 $(or $(SECONDS),20)

soak: $(VENV)/.stamp ## a million hostile datagrams at a running daemon while real clients boot (COUNT=1000000)
	$(BIN)/python -m tests.soak $(or $(COUNT),1000000)

bench: $(VENV)/.stamp ## the figures of docs/performance.md, against other relays; ARGS='requests --rounds 3' for some
	tests/lab/install-packages gcc libc6-dev
	$(BIN)/pip install --quiet --group bench
	$(BIN)/python -m tests.benchmark $(ARGS)

firmware: $(VENV)/.stamp ## real PXE firmware boots through the relay, in qemu; ARGS=--record keeps its packets
	tests/lab/install-packages qemu-system-x86 ovmf
	$(BIN)/pytest --quiet --ignore tests/firmware/more tests/firmware $(ARGS)

firmware-more: $(VENV)/.stamp ## boots over IPv6 that take minutes: by HTTP, without a UUID, without M, iPXE loaded by UEFI
	tests/lab/install-packages qemu-system-x86 ovmf
	$(BIN)/pytest --quiet tests/firmware/more $(ARGS)

guest: $(VENV)/.stamp ## 802.1Q, VRFs and checksums on the wire, in a guest kernel; ARGS='-k rule_27' for some
	tests/lab/install-packages kmod systemd dbus-daemon
	$(BIN)/python -m tests.guest --quiet $(ARGS)

editor: $(VENV)/.stamp ## the schema in a real YAML language server: problems at their lines, completion
	command -v npm >/dev/null || tests/lab/install-packages npm
	npm install --silent --no-audit --no-fund --prefix .cache/editor yaml-language-server
	$(BIN)/pytest --quiet tests/editor

monitoring: $(VENV)/.stamp ## alert rules played by promtool; the dashboard against Grafana's types and a real Prometheus
	command -v npm >/dev/null || tests/lab/install-packages npm
	npm install --silent --no-audit --no-fund --prefix .cache/grafana @grafana/schema@13.2.3 ts-json-schema-generator@2.4.0
	$(BIN)/pytest --quiet $(AT_ONCE) 2 tests/monitoring

dashboard: $(VENV)/.stamp ## docs/dashboard.png: a quarter of an hour in the lab, drawn by Grafana's panels; ARGS=--again draws the last
	command -v npm >/dev/null || tests/lab/install-packages npm
	tests/lab/install-packages chromium fonts-inter
	mkdir -p .cache/picture && cp tests/monitoring/picture/package.json .cache/picture
	npm install --silent --no-audit --no-fund --legacy-peer-deps --prefix .cache/picture
	$(BIN)/python -m tests.monitoring.picture $(ARGS)

lock: ## the versions and checksums of what the daemon depends on, anew from the package index; the role installs no other
	$(PYTHON) ansible/lock.py

web: $(VENV)/.stamp ## the page in a real browser: wide, narrow, light, dark, by keyboard, live; accessibility by axe
	command -v npm >/dev/null || tests/lab/install-packages npm
	tests/lab/install-packages chromium fonts-inter nginx-light caddy openssl
	$(BIN)/pip install --quiet --group browser --group docs
	npm install --silent --no-audit --no-fund --prefix .cache/web axe-core@4.10.3
	$(BIN)/pytest --quiet tests/web

web-pictures: $(VENV)/.stamp ## docs/web.png and those beside it: the page, of a lab, as Chromium shows it; ARGS=FOLDER for every page
	tests/lab/install-packages chromium fonts-inter
	$(BIN)/pip install --quiet --group browser
	$(BIN)/python -m tests.web $(ARGS)

docs: $(VENV)/.stamp ## the documentation as a site with a search, in .cache/site; its links are checked, and that it loads nothing
	$(BIN)/pip install --quiet --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --config-file .config/mkdocs/mkdocs.yml
	$(BIN)/pytest --quiet tests/site

diagrams: ## the diagrams of the documentation, by Graphviz from docs/diagrams/*.dot
	tests/lab/install-packages graphviz fonts-dejavu-core
	$(PYTHON) docs/diagrams/render.py

wheelhouse: ## the wheels that relay hosts without internet need, for pxerelay_wheelhouse (WHEELHOUSE=folder PYTHONS="3.11 3.12")
	$(PYTHON) ansible/wheelhouse.py $(or $(WHEELHOUSE),.cache/wheelhouse) $(addprefix --python ,$(PYTHONS))

collection: ## the Ansible collection, in dist, by Python alone; with pip also a wheel of the daemon for its hosts
	$(PYTHON) -m release.collection
	$(PYTHON) -m pip --version >/dev/null 2>&1 && $(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir dist . || \
	    echo 'No wheel: $(PYTHON) has no pip, or it can not build one. Hosts may have one from elsewhere (pxerelay_wheel).'

deb: $(VENV)/.stamp ## the Debian package, in dist
	tests/lab/install-packages debhelper dh-python dpkg-dev fakeroot
	$(BIN)/python -m release.deb

image: $(VENV)/.stamp ## the container image, for podman and docker, in dist
	tests/lab/install-packages mmdebstrap libcap2-bin
	$(BIN)/python -m release.image

release: $(VENV)/.stamp ## all that a release consists of, in dist/pxerelay-VERSION, with checksums and a bill of materials
	tests/lab/install-packages debhelper dh-python dpkg-dev fakeroot mmdebstrap libcap2-bin
	$(BIN)/python -m release

packages: $(VENV)/.stamp ## the Debian package and the image, installed and used on fresh hosts (Debian 12 and 13); a release built twice
	tests/lab/install-packages debhelper dh-python dpkg-dev fakeroot lintian mmdebstrap libcap2-bin catatonit
	$(BIN)/pytest --quiet tests/release

demo: $(VENV)/.stamp ## Ansible, a relay host, real servers and clients on this machine; ARGS=--keep leaves it up
	$(BIN)/python -m tests.lab.demo $(ARGS)

molecule: $(VENV)/.stamp ## the role on real systemd hosts; SCENARIOS="rules rollout" for some
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/molecule test $(or $(addprefix --scenario-name ,$(SCENARIOS)),--all)

.PHONY: help venv test lint unit role tools ansible-matrix ansible-sanity ansible-units integration differential guest firmware firmware-more editor monitoring dashboard web web-pictures bench fuzz soak docs diagrams lock wheelhouse collection deb image release packages demo molecule
