# Muster: `make run` and `make test` set themselves up; `make help` lists the rest.
PYTHON ?= python3
VENV := build/venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TORCH := build/torch
VMS := build/vm/64/micropython build/vm/32/micropython
TYPINGS := build/typings

.PHONY: help run live scenarios test check sizes bench flash erase backup provision console recording train evaluate clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(READY) ## live through one simulated day on the real MicroPython VM; report in build/day/
	$(BIN)/python -m simulator run

live: $(READY) ## the same day in the browser: its wearer is you; [SCENARIO=file] [PORT=8800]
	$(BIN)/python -m simulator live $(SCENARIO) $(if $(PORT),--port $(PORT))

scenarios: $(READY) $(VMS) ## live through all shipped scenarios, as many at once as there are cores; build/scenarios/junit.xml
	$(BIN)/python -m simulator run $(basename $(notdir $(wildcard simulator/scenarios/*.yaml))) --out build/scenarios \
		--junit build/scenarios/junit.xml --json build/scenarios/results.json

test: $(READY) $(VMS) ## run the tests, firmware on the 64-bit and the 32-bit VM; [REPORT=junit.xml]
	$(BIN)/python -m pytest -n auto $(if $(REPORT),--junit-xml $(REPORT))

check: $(READY) $(TYPINGS) ## lint, check types, and compile the firmware for the chip
	$(BIN)/ruff check .
	$(BIN)/mypy --config-file firmware/mypy.ini -p muster -p boards -m main
	$(BIN)/mypy
	$(BIN)/python -m tools.cross

sizes: $(READY) $(VMS) ## flash bytes by module and heap, beside main's
	$(BIN)/python -m tools.sizes

bench: $(READY) ## measure; prints the table and writes build/bench.json
	$(BIN)/python -m tools.bench

flash: $(READY) ## put the firmware on a board: PORT=/dev/ttyACM0 [BOARD=esp32_s3_eye]
	$(BIN)/python -m tools.flash $(PORT) --board $(or $(BOARD),esp32_s3_eye)

erase: $(READY) ## take keys, records and firmware off a board: PORT=/dev/ttyACM0 [YES=1]
	$(BIN)/python -m tools.erase $(PORT) $(if $(YES),--yes)

backup: $(READY) ## copy what a board keeps to build/backup/: PORT=/dev/ttyACM0 [OUT=folder]
	$(BIN)/python -m tools.backup $(PORT) $(if $(OUT),--out $(OUT))

provision: $(READY) ## make a flashed watch the operator's, enrol its wearer: PORT=... or sim [BOARD=] [OPERATOR=] [SETTINGS=]
	$(BIN)/python -m tools.provision $(or $(PORT),sim) --board $(or $(BOARD),esp32_s3_eye) \
		$(if $(OPERATOR),--operator $(OPERATOR)) $(if $(SETTINGS),--settings $(SETTINGS))

console: $(READY) ## talk to a watch: PORT=/dev/ttyACM0, or PORT=sim for a simulated one
	$(BIN)/python -m tools.console $(or $(PORT),sim)

recording: $(READY) ## record flash and console on a simulated board in docs/BENCH.md
	$(BIN)/python -m tools.recording

# or a third of the time goes to the kernel, which takes back each map's memory and clears it for the next
train: export MALLOC_MMAP_THRESHOLD_ = 8589934592
train: export MALLOC_TRIM_THRESHOLD_ = 17179869184
train: export MALLOC_TOP_PAD_ = 268435456
train: $(TORCH)/.ready ## train and quantise the networks, hours; resumes from build/train: [DATA=../shared/data]
	$(TORCH)/bin/python models/train_finder.py $(if $(DATA),--data $(DATA))
	$(TORCH)/bin/python models/train_landmarks.py $(if $(DATA),--data $(DATA))
	$(TORCH)/bin/python models/train_embedder.py $(if $(DATA),--data $(DATA))
	$(TORCH)/bin/python models/quantise_embedder.py $(if $(DATA),--data $(DATA))

evaluate: $(TORCH)/.ready ## measure the networks, write their card; on your own people: DATA=folder of their folders of pictures
	$(TORCH)/bin/python $(if $(DATA),models/evaluate_own.py $(DATA),models/evaluate.py)

clean: ## delete everything that was built
	rm -rf build

$(READY): pyproject.toml
	@echo "setting up $(VENV) (a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[sim,dev]'
	@touch $@

$(TORCH)/.ready: pyproject.toml
	@echo "setting up $(TORCH) (some minutes)"
	@$(PYTHON) -m venv $(TORCH)
	@$(TORCH)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[sim,dev,train]'
	@touch $@

build/vm/%/micropython: | $(READY)
	@$(BIN)/python -m tools.vm $* > /dev/null

$(TYPINGS): $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --target $@ --no-deps \
		$$($(BIN)/python -m pip freeze | grep -E '^micropython-.*-stubs==')
