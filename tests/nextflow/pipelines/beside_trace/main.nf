// What Nextflow's own trace has trouble with.

process PEAK {
    // 400 MB for half a second, between two readings of `ps` at 1 s and 2 s
    output:
    stdout
    script:
    """
    #!/usr/bin/env python3
    import time
    time.sleep(1.3)
    block = bytearray(400_000_000)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(0.3)
    del block
    time.sleep(0.2)
    """
}

process UNREAPED {
    // what burns the CPU is nobody's child when it ends
    script:
    '''
    (setsid bash -c 'for ((i = 0; i < 400000; i++)); do :; done; touch done' &)
    until [ -e done ]; do sleep 0.1; done
    '''
}

process FAILING {
    errorStrategy 'ignore'
    script:
    'for ((i = 0; i < 100000; i++)); do :; done; exit 5'
}

process TOO_LONG {
    errorStrategy 'ignore'
    time '3s'
    script:
    'sleep 60'
}

workflow {
    PEAK(); UNREAPED(); FAILING(); TOO_LONG()
}
