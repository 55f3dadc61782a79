process ALONE {
    scratch true
    input:
    val i
    output:
    path 'alone.txt'
    script:
    "echo alone ${i} > alone.txt; echo said ${i}; echo err >&2"
}

process ARRAY {
    array 3
    tag "${i}"
    errorStrategy 'ignore'
    input:
    val i
    output:
    stdout
    script:
    "echo array ${i}; exit ${i == 5 ? 6 : 0}"
}

workflow {
    ALONE(Channel.of(1, 2))
    ARRAY(Channel.of(1, 2, 3, 4, 5))
}
