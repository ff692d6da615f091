#!/bin/sh
# Checks the models of the emergency stop with SPIN: the wrong one must fail, the real one must pass a search of
# all states. Usage: check.sh SCRATCH-DIRECTORY
set -eu
scratch=${1:?usage: check.sh SCRATCH-DIRECTORY}
models=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$scratch"

# run MODEL FLAGS: leaves the verdict of an exhaustive search in $scratch/MODEL/out
run() {
	mkdir -p "$scratch/$1"
	(
		cd "$scratch/$1"
		spin -a "$models/$1.pml" >spin.log
		"${CC:-cc}" -O2 -DSAFETY -o pan pan.c
		./pan -m100000 >out
	)
}

run halt_look_then_start
if ! grep -q 'assertion violated' "$scratch/halt_look_then_start/out"; then
	echo "halt_look_then_start: SPIN found nothing wrong, so the model shows nothing" >&2
	exit 1
fi
echo "halt_look_then_start: wrong, as expected"

run halt
if ! grep -q 'errors: 0' "$scratch/halt/out" || grep -q -e 'not completed' -e 'too small' -e 'out of memory' "$scratch/halt/out"; then
	cat "$scratch/halt/out" >&2
	echo "halt: violated, or not searched in full" >&2
	exit 1
fi
grep -e 'states, stored' "$scratch/halt/out" | sed 's/^ */halt: holds in all /;s/states, stored.*/states/'
