process BY_NAME { output: stdout; script: "echo ${task.spack}" }
process BY_DEFAULT { output: stdout; script: "echo ${task.spack}" }
process OWN {
    spack 'own'
    output: stdout
    script: "echo ${task.spack}"
}

workflow {
    BY_NAME() | view { "BY_NAME: " + it.trim() }
    BY_DEFAULT() | view { "BY_DEFAULT: " + it.trim() }
    OWN() | view { "OWN: " + it.trim() }
}
