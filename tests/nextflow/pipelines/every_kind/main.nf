// Every kind of task, and what a task can look like from outside.

process MANY {
    tag "${i}"
    input:
    val i
    output:
    tuple val(i), path("many.txt"), stdout
    script:
    """
    echo task ${i}; echo warning ${i} >&2
    seq ${i} | wc -l > many.txt
    """
}

process ENVIRONMENT {
    beforeScript { "export FROM_SCRIPT='own \$(echo before)' # ${task.cpus}" }
    output:
    stdout
    script:
    "env -u PWD -u OLDPWD -u NXF_TASK_WORKDIR -u _ -u NXF_BOXID -u TMPDIR | sort"
}

process WITH_NAME {
    beforeScript 'echo replaced by the configuration'
    output:
    stdout
    script:
    'echo "$FROM_CONFIG"; echo "${UNEXPORTED:-unset}"'
}

process WITH_LABEL {
    label 'labelled'
    afterScript 'echo after > after.txt'
    output:
    stdout
    script:
    'echo "$FROM_LABEL"'
}

process PIPEFAIL {
    errorStrategy 'ignore'
    output:
    stdout
    script:
    'echo before; false | true; echo not reached'
}

process OUTPUTS {
    input:
    val meta
    output:
    tuple val(meta), env('ANSWER'), eval('echo evaluated'), path('*.txt')
    script:
    """
    ANSWER=42
    echo '${meta.id}' > "with space.txt"; ln -s "with space.txt" link.txt
    """
}

process SHEBANG {
    output:
    stdout
    script:
    """
    #!/usr/bin/env python3
    import sys
    print("python", sys.stdin.read() if not sys.stdin.isatty() else "")
    print("err", file=sys.stderr)
    """
}

process STDIN {
    stageInMode 'copy'
    scratch true
    input:
    stdin
    path 'in put.txt'
    output:
    tuple stdout, path('out put.txt')
    script:
    'cat -; cp "in put.txt" "out put.txt"; case $PWD in */work/*) echo no scratch;; *) echo scratch;; esac'
}

process NAMES {
    tag { name }
    input:
    val name
    output:
    stdout
    script:
    'echo named'
}

process FAILS {
    tag "${how}"
    errorStrategy { task.attempt == 1 && how == 'retried' ? 'retry' : 'ignore' }
    maxRetries 1
    input:
    val how
    output:
    stdout
    script:
    if( how == 'retried' )
        "echo attempt; [ ${task.attempt} = 2 ] || exit 3"
    else if( how == 'exit' )
        'echo out; echo err >&2; exit 7'
    else
        'kill -9 $$'
}

process NATIVE {
    output:
    val x
    exec:
    x = 1 + 1
}

workflow {
    long_name = 'n' * 300
    MANY(Channel.of(1..params.many))
    ENVIRONMENT()
    WITH_NAME()
    WITH_LABEL()
    PIPEFAIL()
    OUTPUTS(Channel.of([id: "sample 'one'"], [id: 'two']))
    SHEBANG()
    STDIN(Channel.of('fed\n'), file("${projectDir}/in put.txt"))
    NAMES(Channel.of("it's \"quoted\" \$(touch pwned) `touch pwned`", 'two\ntrue # lines', long_name, 'ünï'))
    FAILS(Channel.of('retried', 'exit', 'killed'))
    NATIVE()
}
