// The line to the recorder, a Python process beside the engine: one JSON object for each thing told.

import org.slf4j.LoggerFactory

class TracerRecorder {

    private static final long PATIENCE_MS = 600_000
    private static final log = LoggerFactory.getLogger('nextflow.TracerHooks')

    private final Process process
    private final Writer pipe
    private final StringBuffer said = new StringBuffer()
    private final Set<String> warned = [].toSet()
    private boolean broken = false

    TracerRecorder( Map settings, Map run ) {
        try {
            final command = [settings.python, '-I', "${settings.home}/recorder.py"] as List<String>
            process = new ProcessBuilder(command*.toString()).redirectErrorStream(true).start()
            process.consumeProcessOutputStream(said)
            pipe = new BufferedWriter(new OutputStreamWriter(process.outputStream, 'UTF-8'))
        }
        catch( IOException error ) {
            broken = true
            warn("the run has no record of its own: $error.message")
        }
        send(run: run)
    }

    /** The engine is done with an attempt; `note` is what the hook left behind. */
    void task( Map facts, String note ) { send(task: facts, note: note) }

    /** The run is over, `all` attempts were made: the recorder ingests, and what it says goes into the log. */
    void end( String status, int all ) {
        send(end: status, all: all)
        if( broken )
            return
        broken = true  // what the engine may still say of tasks that it cancels comes too late
        try {
            pipe.close()
            process.waitForOrKill(PATIENCE_MS)
            said.toString().readLines().each { line ->
                line.startsWith('warning: ') ? warn(line - 'warning: ') : log.info(line)
            }
        }
        catch( Throwable error ) {
            warn("no summary of this run: $error")
        }
    }

    /** One line in the log, once. */
    void warn( String text ) {
        synchronized( warned ) {
            if( warned.add(text) && warned.size() <= 5 )
                log.warn("tracer-hooks: ${text.readLines().take(2).join(' ')}".toString())
        }
    }

    private synchronized void send( Map line ) {
        if( broken )
            return
        try {
            pipe.write(TracerCards.json(line) + '\n')
            pipe.flush()
        }
        catch( IOException error ) {
            broken = true
            warn("the recorder of this run has ended (${said.toString().readLines().findAll().takeRight(1).join('') ?: error.message}); tasks are recorded all the same")
        }
    }
}
