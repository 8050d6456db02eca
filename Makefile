# The face of the project: `make` alone lists the targets.

ifeq ($(filter grouped-target,$(.FEATURES)),)
$(error GNU make 4.3 or newer is needed, this is $(MAKE_VERSION))
endif

VARIABLES := DATA PROFILE MODEL PRETRAINED JOBS SCHEDULER SKIP_BAD CHANNEL YAWS DEVICES TRAINING
UNKNOWN := $(strip $(foreach v,$(.VARIABLES),$(if $(findstring command line,$(origin $(v))),$(filter-out $(VARIABLES),$(v)))))
ifneq ($(UNKNOWN),)
$(error $(UNKNOWN): no such variable; there are $(VARIABLES))
endif
export $(VARIABLES)

# Bytecode is kept whatever the shell says: without it every process would compile torch anew, seconds each.
unexport PYTHONDONTWRITEBYTECODE
# One thread per process: the pool of workers uses the cores. The kernel is the environment's own.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
# One instruction set: with AVX-512 sums come in another order, and functions end on other bits; predictions flip.
ifeq ($(shell grep -c -m1 avx2 /proc/cpuinfo 2>/dev/null),1)
export ONEDNN_MAX_CPU_ISA := AVX2
export MKL_CBWR := AVX2
export ATEN_CPU_CAPABILITY := avx2
export OPENBLAS_CORETYPE := Haswell
endif
ifeq ($(shell grep -c -m1 avx512f /proc/cpuinfo 2>/dev/null),1)
export NPY_DISABLE_CPU_FEATURES := X86_V4 AVX512_ICL AVX512_SPR
endif
export PYTHONHASHSEED := 0
export MPLBACKEND := agg
export JUPYTER_PREFER_ENV_PATH := 1

PY := .venv/bin/python
READY := .venv/.ready
# Runs the notebooks of a target: which these are, they say themselves, in their metadata.
NOTEBOOKS := $(PY) -m mvlm.publish.notebooks

# Of the lines of mvlm/, in percent, what the suite executes at least; which, line by line, is in the file.
COVERED := 96
COVERAGE := runs/coverage.json

.DEFAULT_GOAL := help
.PHONY: help tables figures study identity films timings transfer foundation lessons all docs verify test app bench fuzz crash-test lab clean

help: ## this list
	@echo 'make TARGET [VARIABLE=value ...]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r name text; do printf '%-13s %s\n' "$$name" "$$text"; done
	@echo
	@echo 'Variables (empty: the default in brackets)'
	@echo '  DATA          root of the licensed corpora in their native formats [synthetic twins]'
	@echo '  PROFILE       smoke, quick or full [quick]'
	@echo '  MODEL         mvlm-tiny or any open_clip model [mvlm-tiny]'
	@echo '  PRETRAINED    open_clip tag or weight file for MODEL [what comes with it]'
	@echo '  JOBS          worker processes [one per core]'
	@echo '  SCHEDULER     address of a running Dask scheduler [this machine]'
	@echo '  SKIP_BAD      1: go on without unreadable scans, and list them [0]'
	@echo '  CHANNEL       what views show: shaded, texture, depth or normals [shaded]'
	@echo '  YAWS          angles of the views, degrees, positive on the left [0,45,-45]'
	@echo '  DEVICES       what PROFILE=full trains on: 2, cuda:4, cpu:2 [all GPUs, else the processor]'
	@echo '  TRAINING      how it trains: "epochs=5 batch=256 image=4 pieces=2", see mvlm/settings.py'
	@echo
	@echo 'The default writes results/, anything else runs/results/.'

tables: $(READY) ## Tables I to III -> results/tables, and prints them
	@$(NOTEBOOKS) $@

figures: $(READY) ## faces, dynamic images, the twins' dials, Figures 3, 6 and 7 -> results/figures
	@$(NOTEBOOKS) $@

study: $(READY) ## beyond the paper: what helps, and what the embedding knows (45 min, goes on where it was) -> results
	@$(NOTEBOOKS) $@

identity: $(READY) ## the person in the embedding: a lesson by hand, and labels without labels -> results
	@$(NOTEBOOKS) $@

films: $(READY) ## films in windows and stills, layer by layer; micro-expressions (45 min, goes on where it was) -> results
	@$(NOTEBOOKS) $@

timings: $(READY) ## seconds of an epoch by ranks and batch on this machine, for Figures 4 and 5 (about 5 min)
	@$(PY) -m mvlm.study.items.fig4_fig5
	@$(NOTEBOOKS) $@

transfer: $(READY) ## the twin-trained model on other people's faces (needs DATA=)
	@$(NOTEBOOKS) $@

foundation: $(READY) ## pretrain mvlm-tiny anew on captioned random faces, with what removes persons, and measure it
	@$(PY) -m mvlm.foundation.pretrain
	@$(PY) -m mvlm.one_person
	@$(PY) -m mvlm.study.items.foundation

lessons: $(READY) ## the teaching notebooks as pages -> runs/html
	@$(NOTEBOOKS) $@

all: tables figures lessons docs ## tables, figures, lessons, and the site of all of them -> runs/html

docs: $(READY) ## the site: notebooks that were run, tables, figures, API, recipes, model card; runs nothing -> runs/html
	@$(PY) -m mvlm.publish.docs

verify: $(READY) ## results made again and compared, value by value; cached runs are read (all anew: make clean verify)
	@$(PY) -m mvlm.publish.verify tables figures study identity lessons

test: $(READY) ## ruff, import-linter (the order of rooms), the whole suite with coverage, the notebooks at PROFILE=smoke
	@$(PY) -m ruff check .
	@said=$$(.venv/bin/lint-imports --no-cache) || { echo "$$said"; exit 1; }
	@mkdir -p runs
	@$(PY) -m slipcover --source mvlm --json --out $(COVERAGE) -m pytest -n 2 --dist loadscope --durations 10
	@$(PY) -m slipcover --merge $(COVERAGE) --out $(COVERAGE) --skip-covered --fail-under $(COVERED)

app: $(READY) ## the live page on this machine, in the browser; Ctrl-C ends it
	@$(PY) -m mvlm app

bench: $(READY) ## our readers, views, pooling, losses and trainer against other tools -> runs/bench.csv
	@$(PY) -m tests.bench

fuzz: $(READY) ## 20,000 damaged files: each is read or refused in words, in time, in little memory
	@$(PY) -m tests.fuzz

crash-test: $(READY) ## the tables at smoke size, killed 20 times at random instants: the same bytes (30 min)
	@$(PY) -m tests.crash

lab: $(READY) ## the notebooks in JupyterLab
	@$(PY) -m jupyter lab notebooks

clean: ## delete caches and records of runs, which the same commands make anew; results and the environment stay
	@rm -rf runs/cache runs/records runs/verify results/.stage .pytest_cache .ruff_cache .hypothesis $(COVERAGE)
	@find mvlm tests notebooks -name __pycache__ -prune -exec rm -rf {} + -o -name .ipynb_checkpoints -prune -exec rm -rf {} +

# The interpreter that makes the environment: 3.11 or 3.12, with venv.
FITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))

$(READY): pyproject.toml constraints.txt
	@python=; for candidate in python3 python3.12 python3.11; do \
	    if "$$candidate" -c '$(FITS)' 2>/dev/null; then python=$$candidate; break; fi; done; \
	if test -z "$$python"; then \
	    echo 'Python 3.11 or 3.12 with the module venv is needed (Debian and Ubuntu: apt install python3-venv)' >&2; exit 1; fi; \
	$(PY) -c 'import pip' 2>/dev/null || { echo "environment: making .venv with $$python"; "$$python" -m venv --clear .venv; }
	@$(PY) .ci/environment.py --install
	@touch $@
