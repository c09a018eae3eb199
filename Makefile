# make run          set up what is missing and start the app (with no display: the same loop offscreen, results in tour/)
# make test         all checks and tests
# make torture      kills, faults, spoiled files and strangers in their long form: under an hour on two cores
# make check        the quick checks, and the tests of what changed since the last commit: before each commit
# make fix          correct style and format the code
# make screenshots  redraw the screenshots of the documentation
# make bench        run the benchmarks
# make clean        remove the virtual environment and what tools left behind

.PHONY: run test torture check fix screenshots bench clean
.DEFAULT_GOAL := run

# The first Python of these that is new enough; `make run PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)

run test torture check fix screenshots bench:
	@if [ -z "$(PYTHON)" ]; then \
		echo "FKP Studio needs Python 3.11 or newer, and none was found. On Debian 12, Ubuntu 24.04 or newer:" >&2; \
		echo "sudo apt-get install python3 python3-venv. On macOS: brew install python@3.13." >&2; \
		exit 1; \
	fi
	@"$(PYTHON)" .ci/setup.py $@

clean:
	rm -rf .venv build dist tour *.egg-info .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
