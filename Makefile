# The project's tasks. `make` lists them. Needed: make, Python >= 3.11 and a Python package registry.
#
#   .venv          the development environment, exactly what uv.lock pins
#   .venv-lowest   the oldest releases that pyproject.toml allows: tests/provider runs Pulumi's provider process in both
#   .venv-docs     what builds the documentation
#
# Another interpreter: make PYTHON=/path/to/python3.12 …      Some of the tests: make test ARGS='tests/plan -k scale'

PYTHON ?= python3
export PYTHON
ARGS ?=
API := ksail_pulumi/omni/api

.DEFAULT_GOAL := help
.PHONY: help setup lowest pulumi demo test sweeps check docs bench args texts proto

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready ## make the development environment (.venv)
.venv/.ready: pyproject.toml uv.lock
	tools/uv sync --frozen --all-extras
	@touch $@

lowest: .venv-lowest/.ready ## make the environment with the oldest supported releases (.venv-lowest)
.venv-lowest/.ready: pyproject.toml
	rm -rf .venv-lowest
	tools/uv venv --quiet .venv-lowest
	tools/uv pip install --quiet --python .venv-lowest --resolution lowest-direct --editable .
	@touch $@

pulumi: setup ## obtain the pulumi command, where it is missing
	.venv/bin/python tools/obtain_pulumi.py

demo: setup ## watch `pulumi up` create, scale and destroy a cluster on the built-in Omni
	@.venv/bin/python tools/demo.py $(ARGS)

test: setup ## run the tests
	@.venv/bin/python tools/run_tests.py $(ARGS)

sweeps: setup ## run what `make test` runs only a sample of
	@.venv/bin/python tools/run_tests.py --sweeps $(ARGS)

check: setup ## formatting, lint, types, import laws, generated inputs, lock file
	.venv/bin/ruff check --no-cache
	.venv/bin/ruff format --check
	.venv/bin/mypy
	set -e; for program in __main__.py examples/*/__main__.py; do .venv/bin/mypy "$$program"; done
	.venv/bin/lint-imports
	.venv/bin/python tools/make_args.py --check
	.venv/bin/python tools/list_errors.py --check
	tools/uv lock --check

docs: ## write the documentation as a web site: build/docs/site/index.html
	UV_PROJECT_ENVIRONMENT=.venv-docs tools/uv sync --quiet --frozen --only-group docs
	.venv-docs/bin/python tools/make_docs.py

bench: setup ## measure the performance figures
	.venv/bin/python -m benchmarks $(ARGS)

args: setup ## write the inputs' classes and their documentation from the models, and the lists of error texts
	.venv/bin/python tools/make_args.py
	.venv/bin/python tools/list_errors.py

texts: setup ## print every text that a user may see
	@.venv/bin/python tools/list_texts.py

# Generated with an old protoc on purpose: what it writes loads on every protobuf runtime since 3.20, and later gencode does
# not. Only the two services have stubs worth keeping. The shell expands the wildcard, after the generation.
proto: setup ## regenerate ksail_pulumi/omni/api from its .proto files
	tools/uv tool run --python '>=3.11,<3.13' --from grpcio-tools==1.62.3 --with 'setuptools<81' python -m grpc_tools.protoc -I. \
	  --plugin=protoc-gen-mypy=.venv/bin/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=.venv/bin/protoc-gen-mypy_grpc \
	  --python_out=. --grpc_python_out=. --mypy_out=. --mypy_grpc_out=. $(API)/*.proto
	for stub in $(API)/*_pb2_grpc.py*; do \
	  case $$stub in $(API)/state_pb2_grpc.*|$(API)/management_pb2_grpc.*) ;; *) rm -f "$$stub" ;; esac; \
	done
