#!/bin/sh
# The smallest cluster: runs the job script beside Snakemake and prints its job id.
setsid sh "$1" > "$1.log" 2>&1 &
echo $!
