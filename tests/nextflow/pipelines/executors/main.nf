process SGE { output: stdout; script: 'echo sge' }
process LSF { output: stdout; script: 'echo lsf' }
process PBS { output: stdout; script: 'echo pbs' }
process K8S { input: val others; output: stdout; script: 'echo inside; exit 3' }

workflow {
    K8S(SGE().mix(LSF(), PBS()).collect())
}
