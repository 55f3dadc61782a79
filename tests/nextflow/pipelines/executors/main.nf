process SGE { output: stdout; script: 'echo sge' }
process LSF { output: stdout; script: 'echo lsf' }
process PBS { errorStrategy 'ignore'; output: stdout; script: 'echo pbs; exit 4' }
process K8S { errorStrategy 'ignore'; output: stdout; script: 'echo inside; exit 3' }

workflow {
    SGE(); LSF(); PBS(); K8S()
}
