// Which of these samples belong together? Reads are checked tile by tile, their k-mers counted, and
// the samples compared by what they share. Only the sequencer is simulated. See README.md.

process SEQUENCE {
    tag "${meta.id}"
    memory '200 MB'
    input:
    val meta
    output:
    tuple val(meta), path('reads.fastq.gz')
    script:
    "simulate_reads.py --genome ${meta.genome} --snps ${meta.snps} --reads ${meta.reads} | gzip > reads.fastq.gz"
}

// A shell script that starts five small programs for each tile: hundreds of processes of milliseconds.
process TILE_QC {
    tag "${meta.id}"
    memory '100 MB'
    input:
    tuple val(meta), path(reads)
    output:
    tuple val(meta), path('tiles.tsv')
    script:
    "tile_qc.sh ${reads} > tiles.tsv"
}

// Asks for four CPUs and uses one. Its memory follows the sample: the largest does not fit at first,
// is ended by the limit, and gets twice as much in its second attempt.
process COUNT_KMERS {
    tag "${meta.id}"
    cpus 4
    memory { 50.MB * task.attempt }
    errorStrategy { task.attempt == 1 ? 'retry' : 'finish' }
    maxRetries 1
    input:
    tuple val(meta), path(reads)
    output:
    tuple val(meta), path("${meta.id}.kmers.gz")
    script:
    """
    ulimit -v ${task.memory.toKilo()}
    count_kmers.py ${reads} | gzip > ${meta.id}.kmers.gz
    """
}

// Asks a service twice a second whether it is done: nearly all of its time is idle.
process LOOK_UP {
    tag "${meta.id}"
    memory '50 MB'
    input:
    val meta
    output:
    tuple val(meta), path('taxon.txt')
    script:
    """
    for question in 1 2 3 4 5 6; do sleep 0.5; done
    echo "${meta.id} Escherichia" > taxon.txt
    """
}

// In a container with -profile podman or docker.
process COMPARE {
    label 'contained'
    memory '200 MB'
    publishDir 'results', mode: 'copy'
    input:
    path kmers
    path tiles, stageAs: 'tiles?.tsv'
    path taxa, stageAs: 'taxon?.txt'
    output:
    path 'distances.tsv'
    script:
    "compare.sh ${kmers} > distances.tsv"
}

workflow {
    samples = Channel.of(
        [id: 'ward_a1', genome: 1, snps: 4, reads: params.reads],
        [id: 'ward_a2', genome: 1, snps: 9, reads: params.reads],
        [id: 'ward_b1', genome: 2, snps: 3, reads: params.reads * 5],
    )
    SEQUENCE(samples)
    TILE_QC(SEQUENCE.out)
    COUNT_KMERS(SEQUENCE.out)
    LOOK_UP(samples)
    COMPARE(
        COUNT_KMERS.out.map { it[1] }.collect(sort: { it.name }),
        TILE_QC.out.map { it[1] }.collect(),
        LOOK_UP.out.map { it[1] }.collect(),
    )
}
