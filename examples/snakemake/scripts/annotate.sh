#!/usr/bin/env bash
# Which gene is each SNP in? annotate.sh TURNAROUND_S POLL_S OUT.tsv GENES.bed VCF...
# Hands the question to a service and polls until the answer is there, as one does with a web
# service or a database's queue. The service here is a background job that takes its time, so
# that the example needs no network.
set -euo pipefail

turnaround=$1
poll=$2
table=$3
genes=$4
shift 4

inbox=$(mktemp -d)
trap 'rm -rf "$inbox"' EXIT

submit() {
    sleep "$turnaround"
    awk 'BEGIN { OFS = "\t"; print "sample", "position", "ref", "alt", "gene" }
        FILENAME == ARGV[1] { start[FNR] = $2; end[FNR] = $3; gene[FNR] = $4; n = FNR; next }
        FNR == 1 { sample = FILENAME; sub(/.*\//, "", sample); sub(/\.vcf$/, "", sample) }
        /^#/ { next }
        {
            hit = "-"
            for (i = 1; i <= n; i++) if ($2 > start[i] && $2 <= end[i]) hit = gene[i]
            print sample, $2, $4, $5, hit
        }' "$@" > "$inbox/answer.part"
    mv "$inbox/answer.part" "$inbox/answer.tsv"
}

submit "$genes" "$@" &
service=$!

until [ -s "$inbox/answer.tsv" ]; do
    if ! kill -0 "$service" 2> /dev/null && [ ! -s "$inbox/answer.tsv" ]; then
        echo "the annotation service ended without an answer" >&2
        exit 1
    fi
    echo "no answer yet" >&2
    sleep "$poll"
done
wait "$service"
cp "$inbox/answer.tsv" "$table"
