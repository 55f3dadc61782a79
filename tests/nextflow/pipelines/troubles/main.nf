process SOME {
    tag "${i}"
    errorStrategy 'ignore'
    input:
    val i
    output:
    stdout
    script:
    "echo out ${i}; echo err ${i} >&2; exit ${i}"
}

workflow {
    SOME(Channel.of(0, 3)) | view { "output: " + it.trim() }
}
