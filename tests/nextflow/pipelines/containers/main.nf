// An image with nothing but busybox: no Python, no ps, and a shell that is called bash.
process CONTAINED {
    container params.image
    tag "${meta.id}"
    input:
    val meta
    output:
    tuple val(meta), path('out.txt'), stdout
    script:
    '''
    awk 'BEGIN { while (i < 12000000) i++ }'
    awk 'BEGIN { s = "x"; while (length(s) < 67108864) s = s s; system("sleep 0.5"); print length(s) }' > out.txt
    echo from $(cat /proc/1/comm) $MINE
    '''
}

process FAILING {
    container params.image
    errorStrategy 'ignore'
    script:
    'exit 9'
}

workflow {
    CONTAINED(Channel.of([id: 'A'])) | view { it[2].trim() }
    FAILING()
}
